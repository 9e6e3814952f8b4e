# SPDX-License-Identifier: Apache-2.0
"""Eyelids: the coordinates of an eye in an image, how far it has shut, and the shade where lids meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from reenact.head.model import Float, Int
from reenact.head.shape import HeadShape

from .filters import smoothstep, smoothstep_of
from .posed_head import PosedHead
from .rasterised_mesh import Box

_BEYOND = 0.35  # chosen; eye widths past a corner over which the lid's edge is continued; lashes end before
_TABLE = (0.05 - _BEYOND, 0.95 + _BEYOND)  # `along` for which the lid's edge is known


@dataclass(frozen=True)
class EyeFrame:
    """Coordinates of one eye in one frame.

    `along` runs from 0 at the inner to 1 at the outer corner. `height` is that over the edge of the upper lid, in eye
    widths.
    """

    inner: Float  # [2] px
    axis: Float  # [2] px, inner to outer corner
    up: Float  # [2] px, as long as `axis`, towards the brow
    edge: PchipInterpolator  # along -> height of the upper lid's edge over the line of the corners

    @classmethod
    def from_edges(cls, upper_px: Float, lower_px: Float) -> EyeFrame:
        """Make the frame of an eye from the edges of its lids [Q, 2] px, from the nose outwards; the ends meet."""
        inner, outer = 0.5 * (upper_px[0] + lower_px[0]), 0.5 * (upper_px[-1] + lower_px[-1])
        axis = (outer - inner).astype(np.float32)
        up = np.asarray([axis[1], -axis[0]], np.float32)
        # The brow is on the side of the upper lid, also where the head lies on its side.
        up *= 1.0 if ((upper_px - lower_px) @ up).sum() >= 0.0 else -1.0
        square = max(float(axis @ axis), 1e-6)
        offset = upper_px - inner
        along, height = offset @ axis / square, offset @ up / square
        along = np.maximum.accumulate(along) + 1e-3 * np.arange(len(along))
        # The edge of a lid seen from the side may begin beyond the corner: the table is covered all the same.
        ends = np.asarray([min(along[0] - _BEYOND, _TABLE[0] - 0.01), max(along[-1] + _BEYOND, _TABLE[1] + 0.01)])
        along = np.concatenate([ends[:1], along, ends[1:]])
        height = np.concatenate([height[:1], height, height[-1:]])
        return cls(inner.astype(np.float32), axis, up, PchipInterpolator(along, height, extrapolate=False))

    @property
    def width_px(self) -> float:
        """Distance of the corners, px."""
        return float(np.linalg.norm(self.axis))

    def coordinates(self, box: Box) -> tuple[Float, Float]:
        """Return `along` and `height` of every pixel of a box, each [h, w]."""
        x = np.arange(box.x0, box.x1, dtype=np.float32) + 0.5 - self.inner[0]
        y = (np.arange(box.y0, box.y1, dtype=np.float32) + 0.5 - self.inner[1])[:, None]
        square = max(float(self.axis @ self.axis), 1e-6)
        along = (x * self.axis[0] + y * self.axis[1]) / square
        height = (x * self.up[0] + y * self.up[1]) / square
        table = np.linspace(*_TABLE, 129)
        return along.astype(np.float32), (height - np.interp(along, table, self.edge(table))).astype(np.float32)

    def to_px(self, along: Float, height: Float) -> Float:
        """Return the places of coordinates of any shape [..., 2] px: the inverse of `coordinates`."""
        over_corners = height + self.edge(np.clip(along, *_TABLE))
        px = self.inner + along[..., None] * self.axis + over_corners[..., None] * self.up
        return px.astype(np.float32)


@dataclass(frozen=True)
class Eyelids:
    """Both lids of one eye."""

    upper: Int  # [Q] vertices along the edges, from the nose outwards
    lower: Int  # [Q]
    opening_m: float  # mean distance of the edges in the reference, metres

    @classmethod
    def from_reference(cls, head: HeadShape, side: int, reference: PosedHead) -> Eyelids:
        """Find the lids of the subject's left (side 0) or right eye (side 1)."""
        contacts, x = head.topology.lid_contacts.numpy(), head.neutral.numpy()[:, 0]
        contacts = contacts[(x[contacts[:, 0]] > 0) == (side == 0)]
        upper, lower = contacts[np.argsort(np.abs(x[contacts[:, 0]]))].T
        return cls(upper, lower, _opening(reference.vertices, upper, lower))

    @property
    def edges(self) -> Int:
        """[2 Q] vertices of both edges."""
        return np.concatenate([self.upper, self.lower])

    def closure(self, vertices: Float) -> float:
        """Return how far the eye has shut since the reference, 0 to 1. vertices: [V, 3] canonical, metres."""
        if self.opening_m < 1e-4:
            return 0.0
        return float(np.clip(1.0 - _opening(vertices, self.upper, self.lower) / self.opening_m, 0.0, 1.0))

    def frame(self, posed: PosedHead) -> EyeFrame:
        """Return the coordinates of the eye in the image of a posed head."""
        return EyeFrame.from_edges(posed.px[self.upper, :2], posed.px[self.lower, :2])

    def shade(self, coordinates: tuple[Float, Float], closure: float) -> Float:
        """Return the darkness where the lids meet [h, w], 0 to 1.

        The upper lid bulges over its edge, and its lashes shade the lower.

        Args:
            coordinates: see EyeFrame.coordinates.
            closure: see `closure`.
        """
        along, height = coordinates
        shut = smoothstep_of(0.35, 0.9, closure)
        if shut == 0.0:
            return np.zeros(along.shape, np.float32)
        ends = smoothstep(-0.1, 0.15, along) * smoothstep(1.1, 0.85, along)
        reach = np.where(height > 0.0, 0.10, 0.06)  # eye widths
        return (shut * 0.16 * ends * np.exp(-((height / reach) ** 2))).astype(np.float32)


def _opening(vertices: Float, upper: Int, lower: Int) -> float:
    """Return the mean distance of the edges, metres."""
    return float(np.maximum(vertices[upper, 1] - vertices[lower, 1], 0.0).mean())
