# SPDX-License-Identifier: Apache-2.0
"""A part of the picture, and the mesh drawn into it at the picture's own resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from reenact.head.model import Float
from reenact.head.regions import EMPTY
from reenact.rendering import Fragments, interpolate, rasterise

from .filters import blur, resize
from .finer import Surface

_FINE = 2  # coverage is measured on a grid this many times finer,
_LARGE = 200  # unless the box is this many pixels wide: then edges are softened instead
_SOFT_PX = 0.6
_SMALLEST = 8


@dataclass(frozen=True)
class Box:
    """Whole pixels [y0:y1, x0:x1] of a picture."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Of the picture."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def slices_in(self, other: Box) -> tuple[slice, slice]:
        """Of a box that holds this one."""
        return (
            slice(self.y0 - other.y0, self.y1 - other.y0),
            slice(self.x0 - other.x0, self.x1 - other.x0),
        )

    @property
    def shape(self) -> tuple[int, int]:
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def corner(self) -> Float:
        """[2] x0, y0."""
        return np.asarray([self.x0, self.y0], np.float32)

    def within(self, other: Box) -> Box | None:
        """What both share, or None if that is too little to draw into."""
        x0, y0 = max(self.x0, other.x0), max(self.y0, other.y0)
        x1, y1 = min(self.x1, other.x1), min(self.y1, other.y1)
        return Box(x0, y0, x1, y1) if min(x1 - x0, y1 - y0) >= _SMALLEST else None


def box_around(px: Float, margin: float, size: int) -> Box | None:
    """Box of points [N, 2 or more] px and `margin` of their width around, inside of a picture of `size` px a side."""
    low, high = px[:, :2].min(axis=0), px[:, :2].max(axis=0)
    wide = margin * max(float(high[0] - low[0]), 1.0)
    x0, y0 = np.clip(np.floor(low - wide), -size, 2 * size).astype(int)
    x1, y1 = np.clip(np.ceil(high + wide), -size, 2 * size).astype(int)
    return Box(int(x0), int(y0), int(x1), int(y1)).within(Box(0, 0, size, size))


@dataclass(frozen=True)
class Drawing:
    """What is seen at every pixel of a box."""

    box: Box
    regions: NDArray[np.uint8]  # [h, w] EMPTY where nothing is
    _fragments: Fragments  # [1, h, w]
    _surface: Surface
    _fine: NDArray[np.uint8]  # regions, so many times finer:
    _scale: int

    def cut(self, box: Box) -> Drawing:
        """The same of a smaller box inside of this one."""
        rows, columns = box.slices_in(self.box)
        fine = tuple(slice(s.start * self._scale, s.stop * self._scale) for s in (rows, columns))
        fragments = _every(self._fragments, rows, columns)
        return Drawing(box, self.regions[rows, columns], fragments, self._surface, self._fine[fine], self._scale)

    def mask(self, *ids: int) -> NDArray[np.bool_]:
        """[h, w] where the middle of the pixel shows one of these regions."""
        return _table(ids)[self.regions] > 0

    def coverage(self, *ids: int) -> Float:
        """[h, w] share of each pixel that these regions cover, 0 to 1."""
        shown = _table(ids)[self._fine]
        height, width = self.box.shape
        return blur(shown, _SOFT_PX) if self._scale == 1 else resize(shown, width, height)

    def carry(self, attributes: Float) -> Float:
        """[V, C] -> [h, w, C], 0 where nothing is."""
        values = torch.from_numpy(np.ascontiguousarray(self._surface.on_all(attributes), np.float32))
        return interpolate(values, self._surface.faces, self._fragments)[0].numpy()


def draw(surface: Surface, px: Float, box: Box) -> Drawing:
    """Draw a surface into a box. px: [V, 3] x px, y px, depth m."""
    height, width = box.shape
    scale = _FINE if max(height, width) < _LARGE else 1
    local = surface.on_all(px.astype(np.float32))
    local[:, :2] = (local[:, :2] - box.corner) * scale
    fine = rasterise(torch.from_numpy(local[None]), surface.faces, height * scale, width * scale, cull_back=True)
    labels = np.append(surface.regions, np.uint8(EMPTY))[fine.face[0].numpy()]
    every = slice(None, None, scale)
    return Drawing(box, labels[every, every], _every(fine, every, every), surface, labels, scale)


def _every(fragments: Fragments, rows: slice, columns: slice) -> Fragments:
    parts = {name: getattr(fragments, name)[:, rows, columns].contiguous() for name in ("face", "bary", "depth")}
    return replace(fragments, **parts)


def _table(ids: tuple[int, ...]) -> Float:
    table = np.zeros(256, np.float32)
    table[list(ids)] = 1.0
    return table
