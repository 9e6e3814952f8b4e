# SPDX-License-Identifier: Apache-2.0
"""How far the output's face is from where the truth has it: place, shape and expression at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reenact.head.landmarks import EYE_CORNERS

from ..about import About, Value, over_frames
from ..extra import landmarks_68, landmarks_478
from ..observe import DetectedFace, ObservedFrame


class LandmarkError:
    """Mean distance of landmarks, by both networks; `beside`, what the truth's first face held still would get."""

    def __init__(self) -> None:
        self._error: tuple[list[float], list[float]] = ([], [])
        self._held: tuple[list[float], list[float]] = ([], [])
        self._first: list[NDArray[np.float64] | None] = [None, None]

    def update(self, moment: ObservedFrame) -> None:
        if moment.truth is None:
            raise ValueError("landmark errors need a truth")
        for k, (output, truth) in enumerate(zip(_both(moment.output), _both(moment.truth), strict=True)):
            if truth is not None and self._first[k] is None:
                self._first[k] = truth
            self._error[k].append(_distance(output, truth))
            self._held[k].append(_distance(self._first[k], truth))

    def values(self) -> list[Value]:
        units = "% of the truth's inter-ocular distance (outer eye corners), mean over landmarks and frames"
        out = []
        for name, by, error, held in zip(
            ("478", "68"), (landmarks_478(), landmarks_68()), self._error, self._held, strict=True
        ):
            frozen = np.asarray(held)[np.isfinite(held)]
            about = About(f"landmark_error_{name}", None, "lower", units, *by)
            out.append(over_frames(about, error, frozen=float(frozen.mean()) if len(frozen) else float("nan")))
        return out


def _both(seen: DetectedFace) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    return None if seen.points is None else seen.points.astype(np.float64), seen.points_68


def _distance(points: NDArray[np.float64] | None, truth: NDArray[np.float64] | None) -> float:
    """Compute the error in % of the truth's inter-ocular distance; NaN where either is unknown."""
    if points is None or truth is None:
        return float("nan")
    corners = (EYE_CORNERS[0][1], EYE_CORNERS[1][1]) if len(truth) == 478 else (36, 45)
    ocular = max(float(np.linalg.norm(truth[corners[0]] - truth[corners[1]])), 1e-6)
    return 100 * float(np.linalg.norm(points - truth, axis=1).mean()) / ocular
