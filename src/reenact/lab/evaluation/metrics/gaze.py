# SPDX-License-Identifier: Apache-2.0
"""Where the eyes look, from the iris landmarks alone: no head fit has a part in it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reenact.head.landmarks import EYE_CORNERS, IRIS
from reenact.tracking.scheme import eye_openness

from ..about import About, Value, over_frames
from ..extra import landmarks_478
from ..observe import ObservedFrame
from .base import Rows

Array = NDArray[np.float64]


class Gaze:
    """Angle between the gazes of output and driver, in their heads' frames; frames with an eye shut are left out."""

    def __init__(self) -> None:
        self._angles = (Rows(2, 2), Rows(2, 2))

    def update(self, moment: ObservedFrame) -> None:
        for kept, seen in zip(self._angles, (moment.output, moment.real), strict=True):
            kept.append(None if seen.points is None else gaze_angles(seen.points))

    def values(self) -> list[Value]:
        output, driver = (angles.stack() for angles in self._angles)
        known = np.isfinite(output).all(axis=(1, 2)) & np.isfinite(driver).all(axis=(1, 2))
        moved_a, moved_b = (x - x[known].mean(axis=0) if known.any() else x for x in (output, driver))
        still = _mean_angle(moved_b)[known]
        units = "degrees between gazes by iris landmarks, mean of both eyes and over frames with open eyes"
        own = f"{units}, each less its own mean over the clip"
        frozen = float(still.mean()) if known.any() else float("nan")
        return [
            over_frames(About("gaze_deg", None, "lower", units, *landmarks_478()), _mean_angle(output - driver)),
            over_frames(
                About("gaze_motion_deg", None, "lower", own, *landmarks_478()),
                np.where(known, _mean_angle(moved_a - moved_b), np.nan),
                frozen=frozen,
            ),
        ]


def gaze_angles(points: NDArray[np.float32]) -> Array:
    """Estimate gaze [2, 2] (sideways, up), degrees, from points [478, 2] px: left eye first, NaN where it is shut.

    Sideways is along the eye's corners towards the picture's right, up across them.  Good to a few degrees for heads
    that face the camera; of a turned head only differences between pictures with the same turn mean something.
    """
    openness = eye_openness(points[None].astype(np.float64))[0]
    out = np.full((2, 2), np.nan)
    for eye, (inner, outer) in enumerate(EYE_CORNERS):
        if openness[eye] < 0.12:  # the detector guesses the iris
            continue
        ends = points[[inner, outer]].astype(np.float64)
        left, right = ends[np.argsort(ends[:, 0])]
        across = right - left
        width = max(float(np.linalg.norm(across)), 1e-6)
        across /= width
        # The eye's corners are about 30 mm apart, the iris turns at a radius of about 12 mm.
        off = (points[IRIS[eye][0]].astype(np.float64) - (left + right) / 2) * 2.5 / width
        up = np.asarray([across[1], -across[0]])
        out[eye] = np.degrees(np.arcsin(np.clip([off @ across, off @ up], -1, 1)))
    return out


def _mean_angle(difference: Array) -> Array:
    """Reduce [F, 2, 2] degrees to [F]: length of each eye's difference, mean of both."""
    return np.linalg.norm(difference, axis=-1).mean(axis=-1)
