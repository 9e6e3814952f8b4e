# SPDX-License-Identifier: Apache-2.0
"""Depth as estimators give it, as depth in sides of the crop.

What a camera sees does not say how large things are. But everything here is counted in sides of the crop at the head's
distance, and that distance is focal length over side of the crop, in sides: an absolute depth needs no other number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .maps import Float, View
from .statement import Depth

_GOES_ALONG = 0.5
"""Correlation with the other estimator's depth of the face below which the two are not of one face."""
_FEW = 50  # pixels


def in_crop_sides(values: Float, face: NDArray[np.bool_], kind: Depth, other: Float | None, view: View) -> Float | None:
    """Depth in sides of the crop, up to a shift; None if the scale cannot be known.

    metric: by its own mean over the face and the focal length it was made with; errors of its scale cancel.
    relative: scaled to vary over the face as much as another estimator's depth. disparity: likewise, of 1 / depth.

    Args:
        values: [S, S] as the maker stored them.
        face: [S, S] where they are known and show the face.
        other: [S, S] the other estimator's depth, sides of the crop, up to a shift; None if it has none.
    """
    if face.sum() < _FEW:
        return None
    side_px = view.crop.size
    if kind.focal_px is not None:
        distance = float(np.median(values[face]))
        return values * np.float32(kind.focal_px / side_px / distance) if distance > 0 else None
    if other is None:
        return None
    away = view.focal_px / side_px
    known = other[face] - other[face].mean() + away
    if (known <= 0).any():
        return None
    target = known if kind.kind == "relative" else 1.0 / known
    if np.std(values[face]) == 0 or np.corrcoef(values[face], target)[0, 1] < _GOES_ALONG:
        return None
    # Least squares of one given the other would shrink the scale by their correlation.
    scale = np.std(target) / np.std(values[face])
    scaled = scale * (values - values[face].mean()) + target.mean()
    if kind.kind == "relative":
        return scaled.astype(np.float32)
    return np.where(scaled > 0, 1.0 / np.where(scaled > 0, scaled, 1.0), np.nan).astype(np.float32)
