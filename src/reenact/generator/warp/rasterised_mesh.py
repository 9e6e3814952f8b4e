# SPDX-License-Identifier: Apache-2.0
"""A mesh rasterised into a box of the image, at the image's own resolution."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.head.model import Float, Int
from reenact.head.regions import EMPTY
from reenact.rendering import Fragments, interpolate, rasterise

from .filters import blur, resize

_SUPERSAMPLED_BELOW_PX = 200  # chosen for speed; the edges of wider boxes are blurred instead of supersampled
_SMALLEST_PX = 8  # chosen; smaller boxes show nothing and stay as the background warp leaves them


@dataclass(frozen=True)
class Box:
    """Whole pixels [y0:y1, x0:x1] of an image."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of the image."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def slices_in(self, other: Box) -> tuple[slice, slice]:
        """Return the rows and columns of a box that holds this one."""
        return (
            slice(self.y0 - other.y0, self.y1 - other.y0),
            slice(self.x0 - other.x0, self.x1 - other.x0),
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width, px."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def corner(self) -> Float:
        """[2] x0, y0."""
        return np.asarray([self.x0, self.y0], np.float32)

    def intersection(self, other: Box) -> Box | None:
        """Return the box of the pixels that both have, or None if it is too small to show anything."""
        x0, y0 = max(self.x0, other.x0), max(self.y0, other.y0)
        x1, y1 = min(self.x1, other.x1), min(self.y1, other.y1)
        return Box(x0, y0, x1, y1) if min(x1 - x0, y1 - y0) >= _SMALLEST_PX else None

    @classmethod
    def around(cls, px: Float, margin: float, size: int) -> Box | None:
        """Return the bounding box of points, as far as it is inside of an image.

        Args:
            px: [N, 2 or more] x, y.
            margin: added at every side, in widths of the points' bounding box.
            size: side of the image, px.
        """
        low, high = px[:, :2].min(axis=0), px[:, :2].max(axis=0)
        margin_px = margin * max(float(high[0] - low[0]), 1.0)
        x0, y0 = np.clip(np.floor(low - margin_px), -size, 2 * size).astype(int)
        x1, y1 = np.clip(np.ceil(high + margin_px), -size, 2 * size).astype(int)
        return cls(int(x0), int(y0), int(x1), int(y1)).intersection(cls(0, 0, size, size))


@dataclass(frozen=True)
class RenderMesh:
    """Triangles over the V vertices of a head and N vertices that subdivision adds."""

    faces: Tensor  # [F, 3] int32, as the rasteriser's kernels take them
    regions: NDArray[np.uint8]  # [F]
    subdivisions: tuple[tuple[Int, Float], ...] = ()
    """Of each round, the vertices [N', 4] that a new vertex is a sum of, and their weights [N', 4]."""

    def subdivide(self, values: Float) -> Float:
        """Return values of all vertices [V + N, C] from those of the head [V, C]; positions lie on smooth curves."""
        for rows, weights in self.subdivisions:
            new = np.einsum("nkc,nk->nc", values[rows], weights)
            values = np.concatenate([values, new.astype(values.dtype)])
        return values


@dataclass(frozen=True)
class RasterisedMesh:
    """What a mesh shows at every pixel of a box of h x w px."""

    box: Box
    regions: NDArray[np.uint8]  # [h, w] EMPTY where there is no surface
    _mesh: RenderMesh
    _fragments: Fragments  # [1, h, w]
    _supersampled_regions: NDArray[np.uint8]  # [scale h, scale w]
    _scale: int

    @classmethod
    def rasterise(cls, mesh: RenderMesh, px: Float, box: Box) -> RasterisedMesh:
        """Rasterise a mesh into a box. px: [V, 3] x px, y px, depth m of the head's vertices."""
        height, width = box.shape
        scale = 2 if max(height, width) < _SUPERSAMPLED_BELOW_PX else 1
        local = mesh.subdivide(px.astype(np.float32))
        local[:, :2] = (local[:, :2] - box.corner) * scale
        fine = rasterise(torch.from_numpy(local[None]), mesh.faces, height * scale, width * scale, cull_back=True)
        labels = np.append(mesh.regions, np.uint8(EMPTY))[fine.face[0].numpy()]
        every = slice(None, None, scale)
        return cls(box, labels[every, every], mesh, _sliced(fine, every, every), labels, scale)

    def crop(self, box: Box) -> RasterisedMesh:
        """Return the same of a smaller box inside of this one."""
        rows, columns = box.slices_in(self.box)
        fine = tuple(slice(s.start * self._scale, s.stop * self._scale) for s in (rows, columns))
        fragments = _sliced(self._fragments, rows, columns)
        labels = self._supersampled_regions[fine]
        return RasterisedMesh(box, self.regions[rows, columns], self._mesh, fragments, labels, self._scale)

    def mask(self, *ids: int) -> NDArray[np.bool_]:
        """Return where the centre of a pixel shows one of some regions [h, w]."""
        return _membership(ids)[self.regions] > 0

    def coverage(self, *ids: int) -> Float:
        """Return the share of each pixel that some regions cover [h, w], 0 to 1."""
        inside = _membership(ids)[self._supersampled_regions]
        height, width = self.box.shape
        return blur(inside, 0.6) if self._scale == 1 else resize(inside, width, height)

    def interpolate(self, attributes: Float) -> Float:
        """Interpolate attributes of vertices [V, C] to pixels [h, w, C]; 0 where there is no surface."""
        values = torch.from_numpy(np.ascontiguousarray(self._mesh.subdivide(attributes), np.float32))
        return interpolate(values, self._mesh.faces, self._fragments)[0].numpy()


def _sliced(fragments: Fragments, rows: slice, columns: slice) -> Fragments:
    parts = {name: getattr(fragments, name)[:, rows, columns].contiguous() for name in ("face", "bary", "depth")}
    return replace(fragments, **parts)


def _membership(ids: tuple[int, ...]) -> Float:
    """Return 1 for labels among `ids` and 0 for the others [256]."""
    table = np.zeros(256, np.float32)
    table[list(ids)] = 1.0
    return table
