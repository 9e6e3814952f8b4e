# SPDX-License-Identifier: Apache-2.0
"""Tables of result files: means over pairs with confidence intervals, paired differences, Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import wilcoxon


@dataclass(frozen=True)
class Cell:
    """A mean over pairs and its 95 % interval, from resampling pairs (not frames: those of a clip are alike)."""

    mean: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True)
class Difference:
    """Second minus first over the pairs that both have."""

    mean: float
    low: float
    high: float
    pairs: int
    p: float
    """Wilcoxon's signed rank test; NaN for fewer than 6 pairs, where it can show nothing."""


def values(scores: Mapping[str, Any], protocol: str, mode: str) -> dict[str, dict[str, float]]:
    """metric -> pair -> mean, of a result file's content, for one protocol and motion mode."""
    out: dict[str, dict[str, float]] = {}
    for pair in scores["pairs"]:
        if pair["scores"] is None or pair["protocol"] != protocol or pair["motion_mode"] != mode:
            continue
        for key, value in pair["scores"]["values"].items():
            if value["mean"] is not None:
                out.setdefault(key, {})[pair["name"]] = float(value["mean"])
    return out


def abouts(scores: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """metric -> what it is (better, units, extractor), from the first pair that has it."""
    out: dict[str, dict[str, Any]] = {}
    for pair in scores["pairs"]:
        for key, value in (pair["scores"] or {"values": {}})["values"].items():
            out.setdefault(key, value)
    return out


def cell(numbers: Sequence[float]) -> Cell:
    """Mean and interval of one metric over pairs. Raises ValueError for none."""
    known = np.asarray(numbers, np.float64)
    if not len(known):
        raise ValueError("no pair has a number")
    low, high = _interval(known)
    return Cell(float(known.mean()), low, high, len(known))


def difference(first: Mapping[str, float], second: Mapping[str, float]) -> Difference:
    """Paired over the names both have. Raises ValueError if they share none."""
    names = sorted(first.keys() & second.keys())
    if not names:
        raise ValueError("the two share no pair")
    gap = np.asarray([second[name] - first[name] for name in names])
    low, high = _interval(gap)
    tested = len(gap) >= 6 and bool((gap != 0).any())
    p = float(np.asarray(wilcoxon(gap))[1]) if tested else float("nan")
    return Difference(float(gap.mean()), low, high, len(gap), p)


def _interval(numbers: np.ndarray) -> tuple[float, float]:
    rows = np.random.default_rng(0).integers(0, len(numbers), (2000, len(numbers)))
    low, high = np.quantile(numbers[rows].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


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
    """Systems by metrics, mean ± half the 95 % interval over pairs; a dash where nothing was measured."""
    known = {key: about for scores in results for key, about in abouts(scores).items()}
    wanted = [key for key in (metrics or sorted(known)) if key in known]
    lines = ["| system | pairs | " + " | ".join(f"{key} {ARROWS[known[key]['better']]}" for key in wanted) + " |"]
    lines.append("|---" * (len(wanted) + 2) + "|")
    for scores in results:
        own = values(scores, protocol, mode)
        count = max((len(by_pair) for by_pair in own.values()), default=0)
        texts = [scores["system"], str(count)]
        for key in wanted:
            if key in own:
                c = cell(list(own[key].values()))
                texts.append(f"{c.mean:.3f} ± {(c.high - c.low) / 2:.3f}")
            else:
                texts.append("-")
        lines.append("| " + " | ".join(texts) + " |")
    return "\n".join(lines)


def problems(results: Sequence[Mapping[str, Any]]) -> str:
    """One line for every pair without scores, and for every clip of which something was missing."""
    lines = []
    for scores in results:
        for pair in scores["pairs"]:
            if pair["problem"] is not None:
                lines.append(f"- {scores['system']}, {pair['name']}: {pair['problem']}")
            elif notes := pair["scores"]["measured_on"]["notes"]:
                lines += [f"- {scores['system']}, {pair['name']}: {note}" for note in notes]
    return "\n".join(lines)


def comparison(first: Mapping[str, Any], second: Mapping[str, Any], protocol: str, mode: str) -> str:
    """Second minus first, pair by pair, for every metric both have."""
    known = abouts(first) | abouts(second)
    a, b = values(first, protocol, mode), values(second, protocol, mode)
    lines = ["| metric | better | difference | 95 % interval | pairs | p |", "|---|---|---|---|---|---|"]
    for key in sorted(a.keys() & b.keys()):
        if not a[key].keys() & b[key].keys():
            continue
        d = difference(a[key], b[key])
        p = "-" if d.p != d.p else f"{d.p:.3f}"
        interval = f"{d.low:+.4f} to {d.high:+.4f}"
        lines.append(f"| {key} | {ARROWS[known[key]['better']]} | {d.mean:+.4f} | {interval} | {d.pairs} | {p} |")
    return "\n".join(lines)
