# SPDX-License-Identifier: Apache-2.0
"""Where in a picture a metric looks: the whole frame forgives a face that does not move, a mask does not.

The masks are drawn from MediaPipe's 478 landmarks of the truth (of the output where there is no truth), so that an
output cannot choose where it is looked at.
"""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.head.landmarks import INNER_LIPS, LEFT_LIDS, RIGHT_LIDS

Mask = NDArray[np.bool_]  # [H, W]
Points = NDArray[np.float32]  # [478, 2] px (x, y)

NAMES: Final = ("frame", "face", "mouth", "eyes")


def face_mask(points: Points, shape: tuple[int, int]) -> Mask:
    """Fill the convex hull of all landmarks in a picture of `shape` (height, width)."""
    return _filled([np.asarray(cv2.convexHull(points.astype(np.float32)))[:, 0]], shape)


def _mouth_mask(points: Points, shape: tuple[int, int]) -> Mask:
    """Fill the inner lip ring, dilated: a line where the mouth is shut."""
    return _dilated(_filled([points[list(INNER_LIPS)]], shape), points)


def _eyes_mask(points: Points, shape: tuple[int, int]) -> Mask:
    """Fill both lid rings, dilated."""
    return _dilated(_filled([points[list(RIGHT_LIDS)], points[list(LEFT_LIDS)]], shape), points)


def masks(points: Points | None, shape: tuple[int, int]) -> dict[str, Mask]:
    """Make every mask of NAMES that can be made: without landmarks the frame only. Empty ones are left out."""
    found = {"frame": np.ones(shape, bool)}
    if points is not None:
        for name, draw in (("face", face_mask), ("mouth", _mouth_mask), ("eyes", _eyes_mask)):
            mask = draw(points, shape)
            if mask.any():
                found[name] = mask
    return found


def _filled(rings: list[NDArray[Any]], shape: tuple[int, int]) -> Mask:
    canvas = np.zeros(shape, np.uint8)
    for ring in rings:  # pixel centres lie at .5 of landmark coordinates
        cv2.fillPoly(canvas, [np.round(ring - 0.5).astype(np.int32)], (1,))
    return canvas.astype(bool)


def _dilated(mask: Mask, points: Points) -> Mask:
    """Widen a mask by 2 % of the face's height: the edges of lips and lids belong to mouth and eyes."""
    radius = max(1, round(0.02 * float(np.ptp(points[:, 1]))))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc)).astype(bool)
