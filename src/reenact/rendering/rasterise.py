# SPDX-License-Identifier: Apache-2.0
"""Rasterising with whichever backend suits the input."""

from __future__ import annotations

from torch import Tensor

from . import rasterise_torch
from .backend import Backend, choose
from .fragments import Fragments


def rasterise(
    vertices_px: Tensor,
    faces: Tensor,
    height: int,
    width: int,
    *,
    cull_back: bool,
    backend: Backend = "auto",
) -> Fragments:
    """Draw triangle meshes that share one topology.

    vertices_px: [B, V, 3] float (x px, y px, z camera depth in metres), as Camera.project returns them.
    faces: [F, 3] integer. cull_back: drop triangles whose normal points away from the camera. backend: see
    Backend.

    Returns Fragments of shape [B, height, width]. Both backends follow rasterise_torch.rasterise, whose
    docstring has the rules; they choose the same faces. Raises ValueError on inputs that do not fit.
    """
    if choose(backend, vertices_px) == "warp":
        from . import rasterise_warp

        return rasterise_warp.rasterise(vertices_px, faces, height, width, cull_back=cull_back)
    return rasterise_torch.rasterise(vertices_px, faces, height, width, cull_back=cull_back)
