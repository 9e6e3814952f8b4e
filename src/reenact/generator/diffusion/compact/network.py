# SPDX-License-Identifier: Apache-2.0
"""The compact generator's network: from frames half painted to frames.

A transformer over patches of 16 x 16 px between the two halves of a convolutional hourglass, which gives it back the
detail that patches of that size lose (U-ViT, doi 10.1109/CVPR52729.2023.02171). It predicts the clean frames, not the
noise (Li and He, arXiv 2511.13720), as what it starts from, displaced, and an addition to that: untrained it paints
what it starts from.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reenact.head.regions import EMPTY, MOUTH_INTERIOR, region_ids

from ..controls import Controls
from .blocks import HEAD, Block, grid_rotary, rotary
from .encoders import FOLD, INPUTS, PoseEncoder, ReferenceEncoder, folded

_STEP_PX = 4.0  # displacement that the network's 1 stands for
_AROUND, _CHANGE = 36, 0.01  # px, and the mean change of colours (-1 to 1) in them that counts as movement
_RIM = 9  # px by which the head is widened and softened
_MOUTH_RIM = 5  # px by which the inside of the mouth is widened and softened
_DARKEST = 0.05  # of 2: brightness below which a hue cannot be told
_SMOOTH = (1.0, 2.0, 2.0, 2.0, 1.0)  # takes out all that repeats every 2 or 4 px, as what is unfolded may
_WAVES = 128  # channels that tell the time of the flow


@dataclass(frozen=True)
class CompactConfig:
    """How large the network is, and what it is told."""

    widths: tuple[int, int, int] = (48, 96, 256)
    """Channels at 4, 8 and 16 px a side; the last is the transformer's."""
    depth: int = 4
    inputs: tuple[str, ...] = INPUTS

    def __post_init__(self) -> None:
        if self.widths[2] % HEAD:
            raise ValueError(f"the transformer's width is {self.widths[2]}; want a multiple of {HEAD}")
        if not set(self.inputs) <= set(INPUTS):
            raise ValueError(f"inputs are {self.inputs}; want some of {INPUTS}")


@dataclass(frozen=True)
class Conditions:
    """Controls, encoded: all that does not change from step to step."""

    photo: Tensor  # [B, N, D]
    pose: tuple[Tensor, Tensor, Tensor]  # [B F, C, h, w] each
    start: Tensor  # [B, F, 3, S, S] what is displaced
    moved: Tensor  # [B, F, 1, S / 4, S / 4] 0 to 1, how much is painted: nothing where the photo is shown as it is
    head: Tensor  # [B, F, 1, S, S] 0 to 1, where colours may be added; what is beyond the head is only displaced
    mouth: Tensor  # [B, F, 1, S, S] 0 to 1, where colours are added smoothly
    coloured: Tensor  # [B, F, 1, S, S] 0 to 1, where hues may be added; elsewhere colours grow lighter or darker


@dataclass(frozen=True)
class Painted:
    """What the network makes of frames."""

    clean: Tensor  # [B, F, 3, S, S]
    displacement: Tensor  # [B, F, 2, S / 4, S / 4] px (x, y) from a pixel to where the start shows what belongs there
    addition: Tensor  # [B, F, 3, S, S]


class CompactNet(nn.Module):
    """See the module. S has to be a multiple of 16 px."""

    def __init__(self, config: CompactConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or CompactConfig()
        a, b, c = config.widths
        self.reference, self.pose = ReferenceEncoder(config.widths), PoseEncoder(config.widths)
        self.time = nn.Sequential(nn.Linear(_WAVES, c), nn.SiLU(), nn.Linear(c, c))
        self.terms = nn.Linear(c, Block.TERMS * c)
        self.fold = nn.Conv2d(3 * FOLD**2, a, 1)
        self.down = nn.ModuleList([nn.Conv2d(a, b, 3, stride=2, padding=1), nn.Conv2d(b, c, 3, stride=2, padding=1)])
        self.blocks = nn.ModuleList([Block(c) for _ in range(config.depth)])
        self.up = nn.ModuleList([nn.Conv2d(c, 4 * b, 1), nn.Conv2d(b, 4 * a, 1)])
        self.into = nn.ModuleList([_Residual(a, c), _Residual(b, c)])
        self.out_of = nn.ModuleList([_Residual(b, c), _Residual(a, c)])
        self.last = nn.Conv2d(a, 3 * FOLD**2 + 2, 3, padding=1)
        for layer in (self.terms, self.last):
            nn.init.zeros_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def conditions(self, controls: Controls, use: Set[str] | None = None) -> Conditions:
        """use: what of the controls is told; None: all that this network knows."""
        told = set(self.config.inputs) & (set(INPUTS) if use is None else use)
        start = self.start(controls)
        moved = head = coloured = start.new_ones(())
        mouth = start.new_zeros(())
        known = set(self.config.inputs)
        if "warped" in known:
            moved = _moved(start, controls.photo)
        if {"warped", "regions"} <= known:
            head = _softened(controls.regions != EMPTY, _RIM)
        if "regions" in known:
            mouth = _softened(_shown(controls.regions, MOUTH_INTERIOR), _MOUTH_RIM)
            coloured = _softened(_shown(controls.regions, ("lips", *MOUTH_INTERIOR)), _RIM)
        reference, pose = self.reference(controls, told), self.pose(controls, told)
        return Conditions(reference, pose, start, moved, head, mouth, coloured)

    def start(self, controls: Controls) -> Tensor:
        """[B, F, 3, S, S] what the flow begins with: the warped photo, or the photo for who is not told the former."""
        if "warped" in self.config.inputs:
            return controls.warped
        return controls.photo[:, None].expand_as(controls.warped)

    def forward(self, frames: Tensor, time: Tensor, conditions: Conditions) -> Painted:
        """frames: [B, F, 3, S, S] on their way at time [B], 0 to 1."""
        b, f = frames.shape[:2]
        t = self.time(_waves(time))
        fine = self.fold(folded(frames.flatten(0, 1))) + conditions.pose[0]
        by_frame = t.repeat_interleave(f, 0)
        fine = self.into[0](fine, by_frame)
        middle = self.into[1](self.down[0](F.silu(fine)) + conditions.pose[1], by_frame)
        coarse = self.down[1](F.silu(middle)) + conditions.pose[2]

        rows, columns = coarse.shape[-2:]
        x = coarse.flatten(2).transpose(1, 2).unflatten(0, (b, f))
        turns = grid_rotary(rows, columns, x.device), rotary(torch.arange(f, device=x.device), HEAD)
        terms = self.terms(F.silu(t)).unflatten(-1, (Block.TERMS, -1))
        for block in self.blocks:
            x = block(x, conditions.photo, terms, turns)
        x = x.flatten(0, 1).transpose(1, 2).unflatten(-1, (rows, columns))

        x = self.out_of[0](F.pixel_shuffle(self.up[0](x), 2) + middle, by_frame)
        x = self.out_of[1](F.pixel_shuffle(self.up[1](x), 2) + fine, by_frame)
        last = self.last(F.silu(x))
        last = conditions.moved.expand(b, f, 1, *last.shape[-2:]).flatten(0, 1) * last
        way = (_STEP_PX * last[:, -2:]).unflatten(0, (b, f))
        carried = displaced(conditions.start, way)
        addition = F.pixel_shuffle(last[:, :-2], FOLD).unflatten(0, (b, f))
        addition = torch.lerp(addition, _smoothed(addition), conditions.mouth)
        addition = conditions.head * torch.lerp(_shade(addition, carried), addition, conditions.coloured)
        return Painted(carried + addition, way, addition)


def displaced(pictures: Tensor, way: Tensor) -> Tensor:
    """Pictures [B, F, 3, H, W], each pixel taken from `way` [B, F, 2, h, w] px (x, y) of its S x S px further.

    way is given for a picture FOLD times as large as itself; larger pictures are displaced in proportion.
    """
    h, w = pictures.shape[-2:]
    flat, way = pictures.flatten(0, 1), way.flatten(0, 1)
    way = way / (FOLD * way.new_tensor([way.shape[-1], way.shape[-2]]))[:, None, None]  # in sides of the picture
    way = F.interpolate(way.to(flat.dtype), (h, w), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    y = (torch.arange(h, device=flat.device, dtype=flat.dtype) + 0.5) / h
    x = (torch.arange(w, device=flat.device, dtype=flat.dtype) + 0.5) / w
    grid = torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]), -1)
    at = 2.0 * (grid + way) - 1.0
    # not bilinear: that blurs whatever is displaced by a part of a pixel
    moved = F.grid_sample(flat, at, mode="bicubic", padding_mode="border", align_corners=False)
    return moved.view(pictures.shape)


def _moved(start: Tensor, photo: Tensor) -> Tensor:
    """Conditions.moved: 0 where nothing around a pixel differs from the photo, near 1 wherever anything moves."""
    change = (start - photo[:, None]).abs().mean(2).flatten(0, 1)[:, None]
    around = F.avg_pool2d(change, _AROUND, FOLD, (_AROUND - FOLD) // 2, count_include_pad=False)
    return (1.0 - torch.exp(-around / _CHANGE)).unflatten(0, start.shape[:2])


def _shown(regions: Tensor, names: Sequence[str]) -> Tensor:
    return torch.isin(regions, torch.tensor(region_ids(*names), device=regions.device, dtype=regions.dtype))


def _softened(mask: Tensor, rim: int) -> Tensor:
    """A mask [B, F, S, S] -> [B, F, 1, S, S] 1 in it, falling to 0 around it."""
    wide = F.max_pool2d(mask.float(), rim, 1, rim // 2)
    return F.avg_pool2d(wide, rim, 1, rim // 2)[:, :, None]


def _shade(addition: Tensor, pictures: Tensor) -> Tensor:
    """What of an addition to pictures [B, F, 3, S, S] makes them darker, each colour in its hue, or lighter, all alike.

    Light that is added is not coloured: multiplied, the little red of dark hair would glow.
    """
    light, by = pictures + 1.0, addition.mean(2, keepdim=True)
    return by.clamp(min=0.0) + by.clamp(max=0.0) * light / light.mean(2, keepdim=True).clamp(min=_DARKEST)


def _smoothed(pictures: Tensor) -> Tensor:
    """[B, F, 3, S, S] without what is finer than 4 px, above all without grids of 4 px."""
    flat = pictures.flatten(0, 2)[:, None]
    kernel = flat.new_tensor(_SMOOTH) / sum(_SMOOTH)
    flat = F.pad(flat, (2, 2, 2, 2), mode="replicate")
    return F.conv2d(F.conv2d(flat, kernel[None, None, None]), kernel[None, None, :, None]).view(pictures.shape)


class _Residual(nn.Module):
    """Two convolutions beside the features; at first they add nothing."""

    def __init__(self, width: int, time_width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.time = nn.Linear(time_width, width)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(x)) + self.time(t)[:, :, None, None]))


def _waves(time: Tensor) -> Tensor:
    """[B] from 0 to 1 -> [B, 128]"""
    angles = 1000.0 * time[:, None].float() * 10000.0 ** -torch.linspace(0.0, 1.0, _WAVES // 2, device=time.device)
    return torch.cat([angles.sin(), angles.cos()], -1)
