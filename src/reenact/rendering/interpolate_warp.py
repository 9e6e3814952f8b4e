# SPDX-License-Identifier: Apache-2.0
"""Carrying attributes to pixels as fused warp kernels, on CPU and CUDA, without gradients.

Beside other busy threads (a decoder, a detector) this also keeps a frame's time steady: torch splits work on
whole pictures over its threads and then waits for the last of them.
"""

from __future__ import annotations

from typing import Any

import torch
import warp as wp
from torch import Tensor

from . import warp_kernels
from .fragments import Fragments
from .warp_runtime import initialise, launch, strips


def interpolate(attributes: Tensor, faces: Tensor, fragments: Fragments) -> Tensor:
    """See interpolate.interpolate. attributes: [B or 1, V, C]; computes in float32. Returns [B, H, W, C]."""
    picture = _picture(fragments, torch.float32, attributes.shape[2])
    source = attributes.detach().float().contiguous()
    _launch(warp_kernels.interpolate_attributes, source, faces, fragments, picture, dtype=wp.float32)
    return picture


def interpolate_directions(directions: Tensor, faces: Tensor, fragments: Fragments) -> Tensor:
    """See interpolate.interpolate_directions. directions: [B or 1, V, 3]. Returns [B, H, W, 3]."""
    picture = _picture(fragments, torch.float32, 3)
    source = directions.detach().float().contiguous()
    _launch(warp_kernels.interpolate_directions, source, faces, fragments, picture, dtype=wp.vec3)
    return picture


def face_labels(labels: Tensor, empty: int, fragments: Fragments) -> Tensor:
    """See interpolate.face_labels. labels: [F] uint8. Returns [B, H, W] uint8."""
    initialise()
    batch, height, width = fragments.face.shape
    picture = _picture(fragments, torch.uint8)
    count = strips(width, picture.device)
    launch(
        warp_kernels.look_up_labels,
        (batch, height, count),
        [
            wp.from_torch(labels.contiguous()),
            empty,
            wp.from_torch(fragments.face.contiguous()),
            width // count,
            wp.from_torch(picture),
        ],
        picture.device,
    )
    return picture


def _picture(fragments: Fragments, dtype: torch.dtype, *channels: int) -> Tensor:
    return torch.empty((*fragments.face.shape, *channels), dtype=dtype, device=fragments.face.device)


def _launch(kernel: Any, source: Tensor, faces: Tensor, fragments: Fragments, picture: Tensor, *, dtype: Any) -> None:
    """Run an interpolating kernel whose attributes and picture hold items of `dtype`."""
    initialise()
    batch, height, width = fragments.face.shape
    count = strips(width, picture.device)
    launch(
        kernel,
        (batch, height, count),
        [
            wp.from_torch(source, dtype=dtype),
            wp.from_torch(faces.int().contiguous()),
            wp.from_torch(fragments.face.contiguous()),
            wp.from_torch(fragments.bary.detach().float().contiguous(), dtype=wp.vec3),
            width // count,
            wp.from_torch(picture, dtype=dtype),
        ],
        picture.device,
    )
