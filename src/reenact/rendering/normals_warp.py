# SPDX-License-Identifier: Apache-2.0
"""Vertex normals as a warp kernel, on CPU and CUDA, without gradients."""

from __future__ import annotations

import torch
import warp as wp
from torch import Tensor

from . import warp_kernels
from .warp_runtime import initialise, launch


def summed_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Sums of the adjacent faces' normals, each twice its area long. vertices: [B, V, 3]. Returns [B, V,
    3]."""
    initialise()
    total = torch.zeros(vertices.shape, dtype=torch.float32, device=vertices.device)
    launch(
        warp_kernels.add_face_normals,
        (len(vertices), len(faces)),
        [
            wp.from_torch(vertices.detach().float().contiguous(), dtype=wp.vec3),
            wp.from_torch(faces.int().contiguous()),
            wp.from_torch(total, dtype=wp.vec3),
        ],
        vertices.device,
    )
    return total
