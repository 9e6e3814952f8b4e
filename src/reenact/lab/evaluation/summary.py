# SPDX-License-Identifier: Apache-2.0
"""Tables over pairs: means with confidence intervals, and paired differences of two systems."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

_RESAMPLES, _SEED = 2000, 0


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
    rows = np.random.default_rng(_SEED).integers(0, len(numbers), (_RESAMPLES, len(numbers)))
    low, high = np.quantile(numbers[rows].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)
