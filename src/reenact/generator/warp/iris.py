# SPDX-License-Identifier: Apache-2.0
"""Where the iris is on an eyeball, and the eyeball's colours by angle from the iris' middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.head.model import Float

from .filters import blur
from .light import luma

_RADIUS = 0.49  # radians: 5.9 mm on a ball of 12.5 mm
_PUPIL = 0.2
_AHEAD = np.asarray([0.0, 0.0, 1.0], np.float32)


@dataclass(frozen=True)
class Radial:
    """Colours [bins, 3] at angles from 0 to `widest` radians; all of the white is one colour."""

    bins: int
    widest: float

    @property
    def centres(self) -> Float:
        """[bins] radians."""
        return ((np.arange(self.bins) + 0.5) * (self.widest / self.bins)).astype(np.float32)

    def at(self, colours: Float, angles: Float) -> Float:
        """[...] radians -> [..., 3]."""
        place = np.clip(angles * (self.bins / self.widest) - 0.5, 0, self.bins - 1)
        low = np.minimum(place.astype(int), self.bins - 2)
        share = (place - low)[..., None]
        return ((1.0 - share) * colours[low] + share * colours[low + 1]).astype(np.float32)


IRIS_COLOURS = Radial(bins=96, widest=1.45)


def angles_from(axis: Float, directions: Float) -> Float:
    """[...] radians between an axis [3] and directions [..., 3] of any length; a right angle for none."""
    length = np.maximum(np.linalg.norm(directions, axis=-1), 1e-6)
    return np.arccos(np.clip(directions @ axis / length, -1.0, 1.0)).astype(np.float32)


def find_iris(picture: Float, directions: Float, inside: NDArray[np.bool_]) -> tuple[Float, float]:
    """Axis [3] and angular radius of the iris: the circle with the strongest step from dark to bright.

    picture, directions: [h, w, 3]. inside: [h, w] the eyeball. An eye too shut to tell looks straight ahead.
    """
    rows = np.flatnonzero(inside.ravel())
    rows = rows[:: max(1, len(rows) // 1200)]
    best, found = -np.inf, (_AHEAD, _RADIUS)
    brightness = luma(blur(picture, 0.7)).ravel()[rows]
    rays = directions.reshape(-1, 3)[rows]
    for yaw in np.linspace(-0.24, 0.24, 13):
        for pitch in np.linspace(-0.16, 0.16, 9):
            axis = np.asarray([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], np.float32)
            angles = angles_from(axis, rays)
            for radius in _RADIUS * np.linspace(0.85, 1.1, 6):
                outer = brightness[(angles > 1.05 * radius) & (angles < 1.35 * radius)]
                inner = brightness[(angles > 0.65 * radius) & (angles < 0.95 * radius)]
                if min(len(outer), len(inner)) < 8:
                    continue
                # The fitted gaze is nearly right: to leave it takes evidence.
                score = outer.mean() - inner.mean() - 0.3 * inner.std() - 150.0 * (yaw**2 + pitch**2)
                if score > best:
                    best, found = score, (axis, float(radius))
    return found


def radial_colours(unshaded: Float, angles: Float, sure: NDArray[np.bool_], iris: float) -> Float:
    """[bins, 3] medians by angle; an ordinary brown eye where nothing is seen. iris: its radius, radians."""
    centres = IRIS_COLOURS.centres
    at, pixels = angles[sure], unshaded[sure]
    colours = np.full((IRIS_COLOURS.bins, 3), np.nan, np.float32)
    for i, centre in enumerate(centres[centres < 1.3 * iris]):
        near = np.abs(at - centre) < 0.05
        if near.sum() >= 4:
            colours[i] = np.median(pixels[near], axis=0)
    if np.isnan(colours).all():
        colours[centres < iris] = (72.0, 50.0, 38.0)
        colours[centres < _PUPIL] = (20.0, 17.0, 16.0)
    white = pixels[at > 1.3 * iris]
    colours[centres >= 1.3 * iris] = np.median(white, axis=0) if len(white) >= 8 else (205.0, 198.0, 194.0)
    known = np.isfinite(colours[:, 0])
    columns = [np.interp(centres, centres[known], colours[known, channel]) for channel in range(3)]
    return np.column_stack(columns).astype(np.float32)
