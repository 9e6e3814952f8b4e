# SPDX-License-Identifier: Apache-2.0
"""Does the output do what the driver does, and as much of it?  By dlib's 68 points, which no output is made from.

Correlation without amplitude praises timid motion, amplitude without correlation praises noise: both are given, with
the driver's own standard deviation, since nothing can be said about what the driver keeps still.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ..about import About, Better, Value
from ..extra import landmarks_68, version
from ..landmarks68 import MEASURES, UNITS, agreement, measure
from ..observe import Image, ObservedFrame
from .base import Rows

Series = NDArray[np.float64]
CLOSED_SHARE: Final = 0.55
"""Eyes count as closed below this share of their own usual opening (90th percentile, but at least 0.20).  On six
of seven real clips, 150 frames each, the median of dlib's ratio was .23 to .47 where MediaPipe had the eyes shut, its
2nd percentile .56 to .81 where it had them open; the seventh (tpsmm_driving, heavy lids) could not be told apart."""
LIPS_SHUT: Final = 0.04
"""Lips count as shut below this opening, in inter-ocular distances (the inner lip points never quite meet)."""
TOLERANCE: Final = 2
"""Frames by which a blink may be early or late."""


class Motion:
    """Collects dlib's points of output and driver (1 kB a frame and video)."""

    def __init__(self) -> None:
        self._points = (Rows(68, 2), Rows(68, 2))

    def update(self, moment: ObservedFrame) -> None:
        for kept, seen in zip(self._points, (moment.output, moment.real), strict=True):
            kept.append(seen.points_68)

    def values(self) -> list[Value]:
        output, driver = (measure(points.stack()) for points in self._points)
        out: list[Value] = []
        for name in MEASURES:
            correlation, amplitude = agreement(driver[name], output[name])
            known = np.isfinite(driver[name]) & np.isfinite(output[name])
            if amplitude == 0:
                correlation = 0.0  # a still output follows nothing: it must not drop out of an average
            beside = {"driver_std": float(driver[name][known].std()) if known.any() else float("nan")}
            what = UNITS[name]
            out.append(
                _value(
                    f"motion_{name}_correlation", "higher", f"-1..1, Pearson over time of: {what}", correlation, beside
                )
            )
            ratio = f"standard deviation over time, output / driver, of: {what}"
            out.append(_value(f"motion_{name}_amplitude", "one", ratio, amplitude, beside))
        return [*out, blinks(output["eyes"], driver["eyes"]), lip_closure(output["mouth"], driver["mouth"])]


def blinks(output: Series, driver: Series) -> Value:
    """Compute F1 of the closed intervals of eye aspect ratios [F]; NaN where neither ever closes."""
    known = np.isfinite(output) & np.isfinite(driver)
    found = [intervals(closed(x) & known) for x in (output, driver)]
    hits = _matched(found[0], found[1])
    total = len(found[0]) + len(found[1])
    units = f"0..1, F1 of intervals with closed eyes, matched one to one within {TOLERANCE} frames"
    beside = {"output_count": len(found[0]), "driver_count": len(found[1])}
    return _value("blink_f1", "higher", units, 2 * hits / total if total else float("nan"), beside)


def lip_closure(output: Series, driver: Series) -> Value:
    """Compute F1 of the frames with shut lips, of mouth openings [F]; NaN where neither ever shuts them."""
    known = np.isfinite(output) & np.isfinite(driver)
    a, b = output[known] < LIPS_SHUT, driver[known] < LIPS_SHUT
    total = int(a.sum() + b.sum())
    units = f"0..1, F1 of frames with lips shut (opening below {LIPS_SHUT:g} inter-ocular distances)"
    shares = [float(x.mean()) if len(x) else float("nan") for x in (a, b)]
    beside = {"output_share": shares[0], "driver_share": shares[1]}
    return _value("lips_shut_f1", "higher", units, 2 * int((a & b).sum()) / total if total else float("nan"), beside)


def closed(eyes: Series) -> NDArray[np.bool_]:
    """Tell whether the eyes are shut [F], against how far this face usually opens them."""
    if not np.isfinite(eyes).any():
        return np.zeros(len(eyes), bool)
    usual = max(float(np.nanquantile(eyes, 0.9)), 0.20)
    return np.nan_to_num(eyes, nan=np.inf) < CLOSED_SHARE * usual


def intervals(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Find the runs of True in [F] as (first, last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _matched(a: list[tuple[int, int]], b: list[tuple[int, int]]) -> int:
    """Count intervals that find a partner, in order and each once, whose span they touch within TOLERANCE frames."""
    hits = i = k = 0
    while i < len(a) and k < len(b):
        if a[i][1] + TOLERANCE < b[k][0]:
            i += 1
        elif b[k][1] + TOLERANCE < a[i][0]:
            k += 1
        else:
            hits, i, k = hits + 1, i + 1, k + 1
    return hits


def _value(name: str, better: Better, units: str, mean: float, beside: Mapping[str, float]) -> Value:
    return Value(About(name, None, better, units, *landmarks_68()), mean, beside=beside)


class Movement:
    """How far the pictures get from the clip's first, output over driver (over the truth where there is one)."""

    def __init__(self) -> None:
        self._first: tuple[Image, Image] | None = None
        self._moved: tuple[list[float], list[float]] = ([], [])

    def update(self, moment: ObservedFrame) -> None:
        now = _tiny(moment.output.image), _tiny(moment.real.image)
        if self._first is None:
            self._first = now
        for moved, first, picture in zip(self._moved, self._first, now, strict=True):
            moved.append(float(np.abs(picture - first).mean()))

    def values(self) -> list[Value]:
        output, real = (float(np.mean(moved)) for moved in self._moved)
        units = "mean absolute difference from the clip's first frame, output / driver or truth"
        about = About("movement", None, "one", units, f"{version('opencv-contrib-python')}, frames of 48 px")
        return [Value(about, output / real if real > 0 else float("nan"), beside={"output": output, "real": real})]


def _tiny(image: Image) -> Image:
    """Shrink to float32 [h, w, 3], 0..1, of 48 px along the longer side: noise and compression are averaged away."""
    factor = 48 / max(image.shape[:2])
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return np.asarray(cv2.resize(image.astype(np.float32) / 255, size, interpolation=cv2.INTER_AREA))
