# SPDX-License-Identifier: Apache-2.0
"""Coordinates of an eye in a picture: along from corner to corner, and above the edge of the upper lid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from reenact.heads.model import Float

from .window import Box

_BEYOND = 0.35  # eye widths past a corner over which the lid's edge is continued


@dataclass(frozen=True)
class EyeFrame:
    """One eye at one moment. `along` runs from 0 at the inner to 1 at the outer corner; heights are in eye widths."""

    inner: Float  # [2] px
    axis: Float  # [2] px, inner to outer corner
    up: Float  # [2] px, as long as `axis`, towards the brow
    edge: PchipInterpolator  # along -> height of the upper lid's edge over the line of the corners

    @property
    def width_px(self) -> float:
        return float(np.linalg.norm(self.axis))

    def of_pixels(self, box: Box) -> tuple[Float, Float]:
        """`along` and height above the lid's edge of every pixel of a box, each [h, w]."""
        y, x = np.mgrid[box.y0 : box.y1, box.x0 : box.x1].astype(np.float32) + 0.5
        along, height = self._of_points(np.stack([x, y], axis=-1))
        return along.astype(np.float32), (height - self.edge(_held(along))).astype(np.float32)

    def pixels(self, along: Float, height: Float) -> Float:
        """[..., 2] px of places given as `of_pixels` gives them."""
        over = height + self.edge(_held(along))
        px = self.inner + along[..., None] * self.axis + over[..., None] * self.up
        return px.astype(np.float32)

    def _of_points(self, px: Float) -> tuple[Float, Float]:
        way, square = px - self.inner, float(self.axis @ self.axis)
        return way @ self.axis / square, way @ self.up / square


def eye_frame(upper_px: Float, lower_px: Float) -> EyeFrame:
    """Frame of lid edges [Q, 2] px, each from the nose outwards, that meet at their ends."""
    inner, outer = 0.5 * (upper_px[0] + lower_px[0]), 0.5 * (upper_px[-1] + lower_px[-1])
    axis = (outer - inner).astype(np.float32)
    up = np.asarray([axis[1], -axis[0]], np.float32)
    # Which side the brow is on, also where the head lies on its side: where the upper lid is.
    up *= 1.0 if ((upper_px - lower_px) @ up).sum() >= 0.0 else -1.0
    square = max(float(axis @ axis), 1e-6)
    way = upper_px - inner
    along, height = way @ axis / square, way @ up / square
    along = np.maximum.accumulate(along) + 1e-3 * np.arange(len(along))
    ends = np.asarray([along[0] - _BEYOND, along[-1] + _BEYOND])
    along = np.concatenate([ends[:1], along, ends[1:]])
    height = np.concatenate([height[:1], height, height[-1:]])
    return EyeFrame(inner.astype(np.float32), axis, up, PchipInterpolator(along, height, extrapolate=False))


def _held(along: Float) -> Float:
    return np.clip(along, -_BEYOND + 0.05, 1.0 + _BEYOND - 0.05)
