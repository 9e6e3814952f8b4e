# SPDX-License-Identifier: Apache-2.0
"""Coordinates of an eye in a picture: along from corner to corner, and above the edge of the upper lid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from reenact.head.model import Float

from .window import Box

_BEYOND = 0.35  # eye widths past a corner over which the lid's edge is continued
_TABLE = (0.05 - _BEYOND, 0.95 + _BEYOND)


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
        x = np.arange(box.x0, box.x1, dtype=np.float32) + 0.5 - self.inner[0]
        y = (np.arange(box.y0, box.y1, dtype=np.float32) + 0.5 - self.inner[1])[:, None]
        square = max(float(self.axis @ self.axis), 1e-6)
        along = (x * self.axis[0] + y * self.axis[1]) / square
        height = (x * self.up[0] + y * self.up[1]) / square
        table = np.linspace(*_TABLE, 129)
        return along.astype(np.float32), (height - np.interp(along, table, self.edge(table))).astype(np.float32)

    def pixels(self, along: Float, height: Float) -> Float:
        """[..., 2] px of places given as `of_pixels` gives them."""
        over = height + self.edge(np.clip(along, *_TABLE))
        px = self.inner + along[..., None] * self.axis + over[..., None] * self.up
        return px.astype(np.float32)


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
    # An eye seen from the side may have its lid's edge begin beyond its corner: the table is covered all the same.
    ends = np.asarray([min(along[0] - _BEYOND, _TABLE[0] - 0.01), max(along[-1] + _BEYOND, _TABLE[1] + 0.01)])
    along = np.concatenate([ends[:1], along, ends[1:]])
    height = np.concatenate([height[:1], height, height[-1:]])
    return EyeFrame(inner.astype(np.float32), axis, up, PchipInterpolator(along, height, extrapolate=False))
