# SPDX-License-Identifier: Apache-2.0
"""How far out a tongue is, by its colour: the landmarks do not know of tongues.

Between open lips there is dark, there are teeth, and there is the tongue, as red as the lips and lit as they are. One
that lies in the mouth leaves room for teeth and dark; one that is put out fills the opening.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from reenact.head.landmarks import INNER_LIPS, OUTER_LIPS

_CHEEKS = (205, 425)
_SIDE = 96  # px at which a mouth is looked at, across its width
_OPEN = (0.22, 0.34)  # height of the opening, of the mouth's width: less shows no tongue
_FILLS = (0.62, 0.85)  # share of the opening that is tongue


def tongue_out(image: NDArray[np.uint8], points: NDArray[np.floating]) -> float:
    """[H, W, 3] sRGB and 478 landmarks px -> 0 (none seen) to 1 (it fills the open mouth)."""
    width = float(np.linalg.norm(points[61] - points[291]))
    height = float(np.linalg.norm(points[13] - points[14]))
    ajar = float(np.clip((height / max(width, 1e-6) - _OPEN[0]) / np.ptp(_OPEN), 0.0, 1.0))
    if ajar == 0.0 or width < 4.0:
        return 0.0
    scale = _SIDE / width
    middle = points[[*OUTER_LIPS, *_CHEEKS]].mean(axis=0)
    side = round(2.4 * _SIDE)
    place = np.asarray([[scale, 0.0, side / 2 - scale * middle[0]], [0.0, scale, side / 2 - scale * middle[1]]])
    crop = cv2.warpAffine(image, place, (side, side), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    lab = cv2.GaussianBlur(cv2.cvtColor(crop, cv2.COLOR_RGB2LAB), (0, 0), 1.5).astype(np.float32)
    at = points @ place[:, :2].T + place[:, 2]
    inner, outer = _filled(at, INNER_LIPS, side), _filled(at, OUTER_LIPS, side)
    opening = cv2.erode(inner, np.ones((5, 5), np.uint8)) > 0  # its rim is lip
    lips = (outer > 0) & (cv2.dilate(inner, np.ones((7, 7), np.uint8)) == 0)
    if opening.sum() < 30 or lips.sum() < 30:
        return 0.0
    light, red = np.median(lab[lips][:, 0]), np.median(lab[lips][:, 1])
    skin = np.median([lab[tuple(np.clip(np.round(at[n][::-1]).astype(int), 0, side - 1))][1] for n in _CHEEKS])
    # Of the lips' lightness, and of their redness over the cheeks'.
    tongue = (lab[..., 0] > 0.62 * light) & (lab[..., 1] - skin > 0.55 * (red - skin))
    fills = float(tongue[opening].mean())
    return ajar * float(np.clip((fills - _FILLS[0]) / np.ptp(_FILLS), 0.0, 1.0))


def without_glimpses(out: NDArray[np.floating]) -> NDArray[np.float32]:
    """[F] of consecutive frames -> [F]: a tongue that is seen for a frame or two was not put out."""
    return median_filter(np.asarray(out, np.float32), 5, mode="nearest")


def _filled(points: NDArray[np.floating], ring: tuple[int, ...], side: int) -> NDArray[np.uint8]:
    canvas = np.zeros((side, side), np.uint8)
    cv2.fillPoly(canvas, [np.round(points[list(ring)]).astype(np.int32)], (1,))
    return canvas
