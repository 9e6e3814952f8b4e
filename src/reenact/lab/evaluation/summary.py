# SPDX-License-Identifier: Apache-2.0
"""Tables of result files: means over pairs with confidence intervals, paired differences, Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import wilcoxon


@dataclass(frozen=True)
class PairMean:
    """A mean over pairs and its 95 % interval, from resampling pairs (not frames: those of a clip are alike)."""

    mean: float
    low: float
    high: float
    pairs: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {(self.high - self.low) / 2:.3f}"


def values(scores: Mapping[str, Any], protocol: str, mode: str) -> dict[str, dict[str, float]]:
    """Collect metric -> pair -> mean from a result file's content, for one protocol and motion mode."""
    out: dict[str, dict[str, float]] = {}
    for pair in scores["pairs"]:
        if pair["scores"] is None or pair["protocol"] != protocol or pair["motion_mode"] != mode:
            continue
        for key, value in pair["scores"]["values"].items():
            if value["mean"] is not None:
                out.setdefault(key, {})[pair["name"]] = float(value["mean"])
    return out


def abouts(scores: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Collect metric -> its description (better, units, extractor) from the first pair that has it."""
    out: dict[str, dict[str, Any]] = {}
    for pair in scores["pairs"]:
        for key, value in (pair["scores"] or {"values": {}})["values"].items():
            out.setdefault(key, value)
    return out


def pair_means(scores: Mapping[str, Any], protocol: str, mode: str) -> dict[str, PairMean]:
    """Average each metric of a result file's content over its pairs of one protocol and motion mode."""
    return {key: mean_over_pairs(list(by.values())) for key, by in values(scores, protocol, mode).items()}


def mean_over_pairs(numbers: Sequence[float]) -> PairMean:
    """Average one metric over pairs. Raises ValueError for none."""
    known = np.asarray(numbers, np.float64)
    if not len(known):
        raise ValueError("no pair has a number")
    rows = np.random.default_rng(0).integers(0, len(known), (2000, len(known)))
    low, high = np.quantile(known[rows].mean(axis=1), [0.025, 0.975])
    return PairMean(float(known.mean()), float(low), float(high), len(known))


def difference(first: Mapping[str, float], second: Mapping[str, float]) -> tuple[PairMean, float]:
    """Subtract the first from the second over the pairs that both have.

    Returns:
        The mean difference, and p of Wilcoxon's signed rank test; NaN for fewer than 6 pairs, where it shows nothing.

    Raises:
        ValueError: they share no pair.
    """
    names = sorted(first.keys() & second.keys())
    if not names:
        raise ValueError("the two share no pair")
    gap = np.asarray([second[name] - first[name] for name in names])
    tested = len(gap) >= 6 and bool((gap != 0).any())
    p = float(np.asarray(wilcoxon(gap))[1]) if tested else float("nan")
    return mean_over_pairs(gap.tolist()), p


HEADLINES = (
    "psnr/face", "psnr/frame", "ssim/face", "l1/mouth", "l1/eyes", "flip/face", "lpips/face", "landmark_error_478",
    "aed", "aed_motion", "apd_rotation_deg", "csim_dlib", "csim_truth_dlib", "leakage_dlib", "motion_mouth_correlation",
    "motion_mouth_amplitude", "motion_eyes_correlation", "motion_eyes_amplitude", "motion_brow_correlation",
    "motion_brow_amplitude", "gaze_motion_deg", "blink_f1", "jitter_ratio", "mesh_mm/face", "mesh_motion_mm/face",
    "mesh_motion_mm/mouth", "mesh_motion_mm/eyes",
)  # fmt: skip
"""Columns of a paper's table, where they were measured; the json and the page have all."""
ARROWS = {"higher": "up", "lower": "down", "one": "to 1"}


def table(results: Sequence[Mapping[str, Any]], protocol: str, mode: str, metrics: Sequence[str] | None = None) -> str:
    """Format systems by metrics, mean ± half the 95 % interval over pairs; a dash where nothing was measured."""
    known = {key: about for scores in results for key, about in abouts(scores).items()}
    columns = [key for key in (metrics or sorted(known)) if key in known]
    lines = ["| system | pairs | " + " | ".join(f"{key} {ARROWS[known[key]['better']]}" for key in columns) + " |"]
    lines.append("|---" * (len(columns) + 2) + "|")
    for scores in results:
        means = pair_means(scores, protocol, mode)
        count = max((mean.pairs for mean in means.values()), default=0)
        texts = [scores["system"], str(count), *(str(means.get(key, "-")) for key in columns)]
        lines.append("| " + " | ".join(texts) + " |")
    return "\n".join(lines)


def problems(results: Sequence[Mapping[str, Any]]) -> str:
    """List every pair without scores, and every clip of which something was missing, one a line."""
    lines = []
    for scores in results:
        for pair in scores["pairs"]:
            if pair["problem"] is not None:
                lines.append(f"- {scores['system']}, {pair['name']}: {pair['problem']}")
            elif notes := pair["scores"]["measured_on"]["notes"]:
                lines += [f"- {scores['system']}, {pair['name']}: {note}" for note in notes]
    return "\n".join(lines)


def comparison(first: Mapping[str, Any], second: Mapping[str, Any], protocol: str, mode: str) -> str:
    """Format second minus first, pair by pair, for every metric that both have."""
    known = abouts(first) | abouts(second)
    a, b = values(first, protocol, mode), values(second, protocol, mode)
    lines = ["| metric | better | difference | 95 % interval | pairs | p |", "|---|---|---|---|---|---|"]
    for key in sorted(a.keys() & b.keys()):
        if not a[key].keys() & b[key].keys():
            continue
        gap, p = difference(a[key], b[key])
        cells = (
            key, ARROWS[known[key]["better"]], f"{gap.mean:+.4f}", f"{gap.low:+.4f} to {gap.high:+.4f}", str(gap.pairs),
            "-" if np.isnan(p) else f"{p:.3f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
