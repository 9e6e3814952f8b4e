# SPDX-License-Identifier: Apache-2.0
"""What a rasteriser returns, and the rules that every backend follows to the bit.

Coverage is decided in integers, as graphics hardware does it: vertices snap to a grid of 1/4096 pixel, edge
functions are exact 64-bit products, and a pixel centre that lies exactly on an edge belongs to the triangle
whose top or left edge it is. So each pixel of a shared edge is drawn exactly once, on every device. The grid
is as fine as a float32 coordinate beyond 1024 px, so nothing is lost by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

SUBPIXEL_BITS: Final = 12
"""log2 of the grid steps per pixel."""

SNAP_LIMIT: Final = float(2**29)
"""Snapped coordinates are clamped to this (131,072 px), which keeps every edge function inside 64 bits."""

NEAR_M: Final = 0.01
"""Triangles with a vertex at or before this depth (metres) are dropped, not clipped: heads are never that
near."""

EMPTY_FACE: Final = -1
"""Face index of a pixel that no triangle covers."""


@dataclass(frozen=True)
class Fragments:
    """The nearest triangle under every pixel centre."""

    face: Tensor
    """[B, H, W] int32: index of the triangle, -1 where nothing was drawn."""
    bary: Tensor
    """[B, H, W, 3] float: perspective-correct barycentric coordinates in the order of `faces`, 0 where
    empty."""
    depth: Tensor
    """[B, H, W] float: camera depth z in metres, inf where empty."""
    face_count: int
    """F: how many faces the mesh has, drawn or not."""


def check_inputs(vertices_px: Tensor, faces: Tensor, height: int, width: int) -> None:
    """Refuse what would otherwise be read out of bounds or drawn as nonsense; raises ValueError.

    vertices_px: [B, V, 3] float (x px, y px, z m). faces: [F, 3] integer, 0 <= index < V, on the same device.
    """
    if vertices_px.ndim != 3 or vertices_px.shape[2] != 3 or not vertices_px.is_floating_point():
        raise ValueError(f"vertices_px must be float [B, V, 3], got {vertices_px.dtype} {list(vertices_px.shape)}")
    if vertices_px.device != faces.device:
        raise ValueError(f"vertices_px are on {vertices_px.device} but faces are on {faces.device}")
    if height < 1 or width < 1:
        raise ValueError(f"the picture needs at least one pixel a side, got {width} x {height}")
    check_faces(faces, vertices_px.shape[1])


def check_faces(faces: Tensor, vertices: int) -> None:
    """Raise ValueError unless faces are integer [F, 3] with 0 <= index < vertices."""
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype not in (torch.int32, torch.int64):
        raise ValueError(f"faces must be int32 or int64 [F, 3], got {faces.dtype} {list(faces.shape)}")
    if faces.numel():
        lowest, highest = (int(value) for value in torch.aminmax(faces))
        if lowest < 0 or highest >= vertices:
            raise ValueError(f"faces name vertices {lowest} to {highest}, but there are {vertices}")


def visible_vertices(depth: Tensor, vertices_px: Tensor, tolerance_m: float) -> Tensor:
    """Compare each vertex with the depth buffer of its picture.

    depth: [B, H, W] metres, inf where empty (Fragments.depth). vertices_px: [B, V, 3] (x px, y px, z m).
    tolerance_m: how far a vertex may lie behind the drawn surface and still count, metres.

    A vertex is compared with the farthest surface among the four pixel centres around it, so that neither the
    slope of the surface nor half a pixel of rounding hides it; the price is that hidden vertices within one
    pixel of an occluder's edge pass. Where none of the four is drawn nothing can hide the vertex. Returns
    bool [B, V], False outside the picture and at z <= NEAR_M.
    """
    batch, height, width = depth.shape
    x, y, z = vertices_px.detach().unbind(-1)
    inside = (x >= 0) & (x <= width) & (y >= 0) & (y <= height) & (z > NEAR_M)
    left = torch.where(inside, torch.floor(x - 0.5), 0.0).long()
    top = torch.where(inside, torch.floor(y - 0.5), 0.0).long()
    image = torch.arange(batch, device=depth.device)[:, None]
    farthest = torch.full_like(z, -torch.inf)
    for row in (top.clamp(min=0), (top + 1).clamp(max=height - 1)):
        for column in (left.clamp(min=0), (left + 1).clamp(max=width - 1)):
            drawn = depth.detach()[image, row, column]
            farthest = torch.maximum(farthest, drawn.masked_fill(torch.isinf(drawn), -torch.inf))
    return inside & ((z <= farthest + tolerance_m) | torch.isneginf(farthest))
