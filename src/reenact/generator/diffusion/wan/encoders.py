# SPDX-License-Identifier: Apache-2.0
"""Encoders from images to the latent grid: a 2D one of the reference and its head, a 3D one of the driven head.

Their last layer is a patch embedding as the transformer's own, but of zeros: untrained they add nothing to the hidden
states.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import log2

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from reenact.generator.diffusion.controls import Controls
from reenact.head.regions import EMPTY, REGIONS

from .plan import INPUTS

_STEM_PX = 4  # stride of the first layer, frame by frame
_REGION_CHANNELS = 8
_LEFT_OUT = len(REGIONS) + 1  # row of the region table for labels that are left out; that before is for "empty"


@dataclass(frozen=True)
class Grid:
    """How a model divides a clip: 1 + N x `frames` frames of S px become 1 + N latents of side S / `pixels`."""

    frames: int
    pixels: int
    patch: int
    """Side of the transformer's patches, in latents."""


class ReferenceEncoder(nn.Module):
    """Encodes the reference, its normals and regions, to be added to the tokens of the reference frame."""

    def __init__(self, grid: Grid, dim: int, width: int) -> None:
        super().__init__()
        self.regions = _region_table()
        self.stem = nn.Conv2d(3 + 3 + _REGION_CHANNELS, width, _STEM_PX, _STEM_PX)
        steps = round(log2(grid.pixels / _STEM_PX))
        widths = [width * 2 ** min(i, 2) for i in range(steps + 1)]
        self.stages = nn.ModuleList(_Stage(nn.Conv2d, a, b, 2) for a, b in pairwise(widths))
        self.out = _zeroed(nn.Conv2d(widths[-1], dim, grid.patch, grid.patch))

    def forward(self, controls: Controls, input_mask: Tensor) -> Tensor:
        """Return [B, dim, 1, h, w]. input_mask: [B, 6] 1 for each of INPUTS that is used, 0 where it is left out."""
        mask = {name: input_mask[:, i, None, None, None] for i, name in enumerate(INPUTS)}
        x = torch.cat(
            [
                controls.reference * mask["photo"],
                controls.reference_normals * mask["photo_normals"],
                _embed_regions(self.regions, controls.reference_regions, mask["photo_regions"]),
            ],
            dim=1,
        )
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.out(x)[:, :, None]


class PoseEncoder(nn.Module):
    """Encodes normals, regions, warped reference and visibility of every frame, to be added to the clip's tokens.

    As in the VAE the first frame is a latent of its own, and no latent depends on later frames than its own.
    """

    def __init__(self, grid: Grid, dim: int, width: int) -> None:
        super().__init__()
        self.lead = grid.frames - 1
        self.regions = _region_table()
        self.stem = nn.Conv3d(3 + 1 + 3 + _REGION_CHANNELS, width, (1, _STEM_PX, _STEM_PX), (1, _STEM_PX, _STEM_PX))
        across, along = round(log2(grid.pixels / _STEM_PX)), round(log2(grid.frames))
        widths = [width * 2 ** min(i, 2) for i in range(max(across, along) + 1)]
        strides = [(2 if i < along else 1, *[2 if i < across else 1] * 2) for i in range(len(widths) - 1)]
        self.stages = nn.ModuleList(
            _Stage(_CausalConv3d, a, b, stride) for (a, b), stride in zip(pairwise(widths), strides, strict=True)
        )
        patch = (1, grid.patch, grid.patch)
        self.out = _zeroed(nn.Conv3d(widths[-1], dim, patch, patch))

    def forward(self, controls: Controls, input_mask: Tensor) -> Tensor:
        """Return [B, dim, 1 + N, h, w]. input_mask: see ReferenceEncoder."""
        mask = {name: input_mask[:, i, None, None, None, None] for i, name in enumerate(INPUTS)}
        x = torch.cat(
            [
                torch.cat([controls.warped, controls.visibility], dim=2) * mask["warped"],
                controls.normals * mask["normals"],
                _embed_regions(self.regions, controls.regions, mask["regions"]),
            ],
            dim=2,
        ).transpose(1, 2)
        x = self.stem(torch.cat([x[:, :, :1].expand(-1, -1, self.lead, -1, -1), x], dim=2))
        for stage in self.stages:
            x = stage(x)
        return self.out(x)


class _CausalConv3d(nn.Conv3d):
    """A 3 x 3 x 3 convolution, padded in time on the past's side only.

    A stride of 2 makes one frame of every two, which depends on nothing after the later one.
    """

    def __init__(self, channels: int, out: int, kernel: int, stride: int | tuple[int, ...] = 1, padding: int = 1):
        super().__init__(channels, out, kernel, stride, (0, padding, padding))  # pyright: ignore[reportArgumentType] a triple
        # With stride 2 the kernel ends on each pair's second frame: one frame of padding in front instead of two.
        self.before = 2 if self.stride[0] == 1 else 1

    def forward(self, input: Tensor) -> Tensor:
        """Convolve [B, C, F, h, w]."""
        return super().forward(nn.functional.pad(input, (0, 0, 0, 0, self.before, 0)))


class _Stage(nn.Module):
    """A strided convolution, then a residual block."""

    def __init__(
        self, conv: type[nn.Conv2d] | type[_CausalConv3d], channels: int, out: int, stride: int | tuple[int, ...]
    ) -> None:
        super().__init__()
        self.down = conv(channels, out, 3, stride, padding=1)  # pyright: ignore[reportArgumentType] a triple for 3D
        self.first = conv(out, out, 3, padding=1)
        self.second = conv(out, out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(silu(_normalise(x)))
        return x + self.second(silu(self.first(silu(_normalise(x)))))


def _region_table() -> nn.Embedding:
    """Return the embedding of region labels: channels of each label and of "empty", and zeros where left out."""
    return nn.Embedding(_LEFT_OUT + 1, _REGION_CHANNELS, padding_idx=_LEFT_OUT)


def _embed_regions(table: nn.Embedding, labels: Tensor, mask: Tensor) -> Tensor:
    """Embed labels [..., S, S] as [..., C, S, S]; 0 where the mask [B, 1, ...], of as many axes, is 0."""
    rows = torch.where(labels == EMPTY, len(REGIONS), labels.long())
    rows = torch.where(mask.squeeze(-3) > 0, rows, _LEFT_OUT)
    return table(rows).movedim(-1, -3)


def _normalise(x: Tensor) -> Tensor:
    """Scale the channels of each place to rms 1: unlike statistics over a clip, that is the same in every window."""
    return x * x.float().square().mean(dim=1, keepdim=True).add(1e-6).rsqrt().to(x.dtype)


def _zeroed(layer: nn.Conv2d | nn.Conv3d) -> nn.Conv2d | nn.Conv3d:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
