# SPDX-License-Identifier: Apache-2.0
"""The fast rasteriser: the reference's rules as warp kernels, on CPU and CUDA, without gradients."""

from __future__ import annotations

import contextlib
from typing import Final

import torch
import warp as wp
from torch import Tensor

from . import warp_kernels
from .fragments import Fragments, check_inputs
from .warp_runtime import initialise, launch, strips

LARGEST_IDLE: Final = 1 << 23
"""Keys (64 MB of them) beyond which a buffer is freed after its call."""

_idle_keys: list[Tensor] = []
"""Emptied CPU key buffers. A call takes one out and puts it back when done, so threads never share one; on
CUDA torch's own allocator does this, and knows about streams."""


def rasterise(vertices_px: Tensor, faces: Tensor, height: int, width: int, *, cull_back: bool) -> Fragments:
    """Draw triangle meshes that share one topology; see rasterise_torch.rasterise for the arguments.

    Computes in float32 and carries no gradient. Raises ValueError as the reference does.
    """
    check_inputs(vertices_px, faces, height, width)
    initialise()
    device = vertices_px.device
    shape = (len(vertices_px), height, width)
    vertices = wp.from_torch(vertices_px.detach().float().contiguous(), dtype=wp.vec3)
    triangles = wp.from_torch(faces.int().contiguous())
    keys = _take_keys(shape[0] * height * width, device)
    image_keys = keys[: shape[0] * height * width].view(shape)
    face = torch.empty(shape, dtype=torch.int32, device=device)
    bary = torch.empty((*shape, 3), dtype=torch.float32, device=device)
    depth = torch.empty(shape, dtype=torch.float32, device=device)

    launch(
        warp_kernels.draw_triangles,
        (shape[0], len(faces)),
        [vertices, triangles, int(cull_back), wp.from_torch(image_keys)],
        device,
    )
    count = strips(width, device)
    outputs = [wp.from_torch(face), wp.from_torch(bary, dtype=wp.vec3), wp.from_torch(depth)]
    launch(
        warp_kernels.resolve_pixels,
        (*shape[:2], count),
        [vertices, triangles, wp.from_torch(image_keys), width // count, *outputs],
        device,
    )
    if device.type == "cpu" and len(keys) <= LARGEST_IDLE:
        _idle_keys.append(keys)
    return Fragments(face, bary, depth, len(faces))


def _take_keys(count: int, device: torch.device) -> Tensor:
    """[count or more] int64, all empty."""
    if device.type == "cpu":
        with contextlib.suppress(IndexError):
            keys = _idle_keys.pop()
            if len(keys) >= count:
                return keys
    return torch.full((count,), warp_kernels.NOTHING, dtype=torch.int64, device=device)
