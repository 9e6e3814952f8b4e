# SPDX-License-Identifier: Apache-2.0
"""One order of systems out of many metrics, in which standing still cannot win.

A frozen photo is perfectly like itself, perfectly stable, and near the truth wherever the truth hardly moves: by
picture, likeness and stability it leads most tables. So what does not move is not a reenactment, and comes after all
that does; the others are ordered by their mean rank in groups of metrics, each group counting once however many
metrics it has. REAL is the measure, not a competitor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy.stats import rankdata

from .summary import abouts, pair_means

CEILING: Final = "REAL"
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "picture": ("psnr/face", "ssim/face", "flip/face", "l1/mouth", "l1/eyes", "lpips/face"),
    "motion": (
        "motion_mouth_correlation",
        "motion_mouth_amplitude",
        "motion_eyes_correlation",
        "motion_eyes_amplitude",
        "motion_brow_correlation",
        "motion_brow_amplitude",
        "aed_motion",
        "apd_rotation_motion_deg",
        "gaze_motion_deg",
    ),
    "likeness": ("csim_truth_dlib", "csim_dlib", "leakage_dlib"),
    "stability": ("jitter_ratio",),
    "mesh": ("mesh_mm/face", "mesh_motion_mm/face", "mesh_motion_mm/mouth", "mesh_motion_mm/eyes"),
}


@dataclass(frozen=True)
class _Place:
    """The rank of one system; None for the ceiling and for what moves too little to be ranked."""

    system: str
    rank: int | None
    mean_rank: float
    by_group: Mapping[str, float]
    movement: float
    """Of the pictures over the driver's, see metrics/motion.py."""


def ranking(results: Sequence[Mapping[str, Any]], protocol: str, mode: str) -> list[_Place]:
    """Rank the systems of one table, best first, then the frozen ones, then REAL.

    Metrics that only some have do not count.
    """
    means = {r["system"]: {k: m.mean for k, m in pair_means(r, protocol, mode).items()} for r in results}
    known = {key: about for r in results for key, about in abouts(r).items()}
    movement = {name: m.get("movement", 0.0) for name, m in means.items()}
    # A photo, compressed, reaches 0.03 of the driver's movement: what stays below 0.1 counts as frozen.
    contenders = [name for name in means if name != CEILING and movement[name] >= 0.1]
    by_group: dict[str, dict[str, float]] = {name: {} for name in means}
    for group, keys in GROUPS.items():
        shared = [key for key in keys if contenders and all(key in means[name] for name in contenders)]
        if not shared:
            continue
        ranks = [rankdata([_badness(means[name][key], known[key]["better"]) for name in contenders]) for key in shared]
        for name, rank in zip(contenders, np.mean(ranks, axis=0), strict=True):
            by_group[name][group] = float(rank)
    mean = {name: float(np.mean(list(ranks.values()))) if ranks else float("nan") for name, ranks in by_group.items()}
    order = sorted(contenders, key=lambda name: mean[name])
    places = [_Place(name, 1 + n, mean[name], by_group[name], movement[name]) for n, name in enumerate(order)]
    rest = sorted((name for name in means if name not in order), key=lambda name: name == CEILING)
    return places + [_Place(name, None, float("nan"), {}, movement[name]) for name in rest]


def ranking_table(places: Sequence[_Place]) -> str:
    """Format a ranking as Markdown."""
    groups = [group for group in GROUPS if any(group in place.by_group for place in places)]
    lines = [
        f"| place | system | mean rank | {' | '.join(groups)} | movement, of the driver's |",
        "|---" * (len(groups) + 4) + "|",
    ]
    for place in places:
        word = str(place.rank) if place.rank else "ceiling" if place.system == CEILING else "frozen"
        cells = [f"{place.by_group[group]:.2f}" if group in place.by_group else "-" for group in groups]
        mean = "-" if place.rank is None else f"{place.mean_rank:.2f}"
        lines.append(f"| {word} | {place.system} | {mean} | {' | '.join(cells)} | {place.movement:.2f} |")
    return "\n".join(lines)


def _badness(mean: float, better: str) -> float:
    if better == "one":
        return abs(float(np.log(max(mean, 1e-6))))
    return mean if better == "lower" else -mean
