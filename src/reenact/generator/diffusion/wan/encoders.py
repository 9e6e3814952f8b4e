# SPDX-License-Identifier: Apache-2.0
"""From pictures to the latent grid: a 2D encoder of the photo and its head, a 3D encoder of the driven head.

Their last layer is a patch embedding as the transformer's own, of zeros: what is added to the hidden states is nothing
until something has been learned.
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

_STEM = 4  # px of the first stride, frame by frame
_REGION_CHANNELS = 8
_UNTOLD = len(REGIONS) + 1
_STILL_CHANNELS = 3 + 3 + _REGION_CHANNELS
_MOVING_CHANNELS = 3 + 1 + 3 + _REGION_CHANNELS


@dataclass(frozen=True)
class Grid:
    """How a model divides a clip: 1 + N x `frames` frames of S px become 1 + N latents of side S / `pixels`."""

    frames: int
    pixels: int
    patch: int
    """Side of the transformer's patches, in latents."""


class ReferenceEncoder(nn.Module):
    """Photo, its normals and regions -> [B, dim, 1, h, w], what to add to the tokens of the reference frame."""

    def __init__(self, grid: Grid, dim: int, width: int) -> None:
        super().__init__()
        self.regions = region_table()
        self.stem = nn.Conv2d(_STILL_CHANNELS, width, _STEM, _STEM)
        steps = round(log2(grid.pixels / _STEM))
        widths = [width * 2 ** min(i, 2) for i in range(steps + 1)]
        self.stages = nn.ModuleList(_Stage(nn.Conv2d, a, b, 2) for a, b in pairwise(widths))
        self.out = _zeroed(nn.Conv2d(widths[-1], dim, grid.patch, grid.patch))

    def forward(self, controls: Controls, on: Tensor) -> Tensor:
        """on: [B, 6] 1 where an input of INPUTS is told, 0 where not."""
        told = {name: on[:, i, None, None, None] for i, name in enumerate(INPUTS)}
        x = torch.cat(
            [
                controls.photo * told["photo"],
                controls.photo_normals * told["photo_normals"],
                _looked_up(self.regions, controls.photo_regions, told["photo_regions"]),
            ],
            dim=1,
        )
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
        return self.out(x)[:, :, None]


class PoseEncoder(nn.Module):
    """Normals, regions, warped photo and its visibility in every frame -> [B, dim, 1 + N, h, w], to add to tokens.

    As in the VAE the first frame is a latent of its own, and no latent knows of later frames than its own.
    """

    def __init__(self, grid: Grid, dim: int, width: int) -> None:
        super().__init__()
        self.lead = grid.frames - 1
        self.regions = region_table()
        self.stem = nn.Conv3d(_MOVING_CHANNELS, width, (1, _STEM, _STEM), (1, _STEM, _STEM))
        across, along = round(log2(grid.pixels / _STEM)), round(log2(grid.frames))
        widths = [width * 2 ** min(i, 2) for i in range(max(across, along) + 1)]
        self.stages = nn.ModuleList(
            _Stage(CausalConv3d, a, b, _strides(i < along, i < across)) for i, (a, b) in enumerate(pairwise(widths))
        )
        patch = (1, grid.patch, grid.patch)
        self.out = _zeroed(nn.Conv3d(widths[-1], dim, patch, patch))

    def forward(self, controls: Controls, on: Tensor) -> Tensor:
        """on: [B, 6] 1 where an input of INPUTS is told, 0 where not."""
        told = {name: on[:, i, None, None, None, None] for i, name in enumerate(INPUTS)}
        x = torch.cat(
            [
                torch.cat([controls.warped, controls.visibility], dim=2) * told["warped"],
                controls.normals * told["normals"],
                _looked_up(self.regions, controls.regions, told["regions"]),
            ],
            dim=2,
        ).transpose(1, 2)
        x = self.stem(torch.cat([x[:, :, :1].expand(-1, -1, self.lead, -1, -1), x], dim=2))
        for stage in self.stages:
            x = stage(x)
        return self.out(x)


class CausalConv3d(nn.Conv3d):
    """3 x 3 x 3, padded in time on the past's side only: a stride of 2 makes each two frames one, the later's."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int | tuple[int, ...] = 1, padding: int = 1):
        super().__init__(channels, out, kernel, stride, (0, padding, padding))  # pyright: ignore[reportArgumentType] a triple
        # with stride 2 the kernel ends on each pair's second frame: one frame of padding in front instead of two
        self.before = 2 if self.stride[0] == 1 else 1

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(input, (0, 0, 0, 0, self.before, 0)))


class _Stage(nn.Module):
    """A strided convolution, then a residual block."""

    def __init__(
        self, conv: type[nn.Conv2d] | type[CausalConv3d], channels: int, out: int, stride: int | tuple[int, ...]
    ) -> None:
        super().__init__()
        self.down = conv(channels, out, 3, stride, padding=1)  # pyright: ignore[reportArgumentType] a triple for 3D
        self.first = conv(out, out, 3, padding=1)
        self.second = conv(out, out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(silu(_even(x)))
        return x + self.second(silu(self.first(silu(_even(x)))))


def _strides(along: bool, across: bool) -> tuple[int, int, int]:
    side = 2 if across else 1
    return (2 if along else 1, side, side)


def region_table() -> nn.Embedding:
    """Channels of each label, of "empty", and zeros of "not told"."""
    return nn.Embedding(_UNTOLD + 1, _REGION_CHANNELS, padding_idx=_UNTOLD)


def _looked_up(table: nn.Embedding, labels: Tensor, told: Tensor) -> Tensor:
    """[..., S, S] labels as [..., C, S, S]; told: [B, 1, ...], as many axes as the result."""
    rows = torch.where(labels == EMPTY, len(REGIONS), labels.long())
    rows = torch.where(told.squeeze(-3) > 0, rows, _UNTOLD)
    return table(rows).movedim(-1, -3)


def _even(x: Tensor) -> Tensor:
    """Each place's channels scaled to rms 1: unlike statistics over a clip, the same in every window."""
    return x * x.float().square().mean(dim=1, keepdim=True).add(1e-6).rsqrt().to(x.dtype)


def _zeroed(layer: nn.Conv2d | nn.Conv3d) -> nn.Conv2d | nn.Conv3d:
    nn.init.zeros_(layer.weight)
    assert layer.bias is not None
    nn.init.zeros_(layer.bias)
    return layer
