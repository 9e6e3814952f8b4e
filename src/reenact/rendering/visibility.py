# SPDX-License-Identifier: Apache-2.0
"""Which vertices of a mesh a camera sees."""

from __future__ import annotations

import torch
from torch import Tensor

from .fragments import NEAR_M


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
