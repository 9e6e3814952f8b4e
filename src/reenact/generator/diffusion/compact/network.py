# SPDX-License-Identifier: Apache-2.0
"""The compact generator's network, which predicts clean frames from frames on the path of the flow.

A transformer over patches of 16 x 16 px is between the two halves of a convolutional hourglass, which keeps the detail
that such patches lose (U-ViT, doi 10.1109/CVPR52729.2023.02171). The network predicts the clean frames, not the noise
(Li and He, arXiv 2511.13720), as the displaced start of the flow plus a residual: untrained it returns the start.
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
from .encoders import FOLD, INPUTS, PoseEncoder, ReferenceEncoder, fold

# The shipped weights were trained with these; another value wants other weights.
_UNIT_PX = 4.0  # displacement of an output of 1
_AROUND_PX, _CHANGE = 36, 0.01  # a mean change of colours (-1 to 1) in a square of that side counts as motion
_RIM_PX = 9  # by which masks of the head, and of lips and mouth, are dilated and blurred; inside of mouths 5
_WAVES = 128  # channels that encode the time of the flow


@dataclass(frozen=True)
class CompactConfig:
    """Size and inputs of the network. Raises ValueError for a width or an input that cannot be."""

    widths: tuple[int, int, int] = (48, 96, 256)
    """Channels at 4, 8 and 16 px a side; the last is the transformer's."""
    depth: int = 4
    """Blocks of the transformer."""
    inputs: tuple[str, ...] = INPUTS

    def __post_init__(self) -> None:
        if self.widths[2] % HEAD:
            raise ValueError(f"the transformer's width is {self.widths[2]}; want a multiple of {HEAD}")
        if not set(self.inputs) <= set(INPUTS):
            raise ValueError(f"inputs are {self.inputs}; want some of {INPUTS}")


@dataclass(frozen=True)
class Conditions:
    """Encoded controls: all that is the same in every step. Masks are from 0 to 1."""

    reference: Tensor  # [B, N, D]
    pose: tuple[Tensor, Tensor, Tensor]  # [B F, C, h, w] each
    start: Tensor  # [B, F, 3, S, S] start of the flow, which is displaced
    motion_gate: Tensor  # [B, F, 1, S / 4, S / 4] factor of displacement and residual: 0 where nothing has moved
    head_mask: Tensor  # [B, F, 1, S, S] where there is a residual; beyond the head there is displacement only
    mouth_mask: Tensor  # [B, F, 1, S, S] where the residual is smoothed
    hue_mask: Tensor  # [B, F, 1, S, S] where the residual may change hues; elsewhere it only darkens or lightens


@dataclass(frozen=True)
class CompactOutput:
    """What the network predicts."""

    clean: Tensor  # [B, F, 3, S, S]
    displacement: Tensor  # [B, F, 2, S / 4, S / 4] px (x, y) from a pixel to where the start shows its content
    residual: Tensor  # [B, F, 3, S, S]


class CompactNet(nn.Module):
    """The network of the module. S has to be a multiple of 16 px."""

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

    def conditions(self, controls: Controls, inputs: Set[str] | None = None) -> Conditions:
        """Encode controls; `inputs` are those that are used, None for all of the network's."""
        every = set(self.config.inputs)
        used = every & (set(INPUTS) if inputs is None else inputs)
        start = self.start(controls)
        motion_gate = head_mask = hue_mask = start.new_ones(())
        mouth_mask = start.new_zeros(())
        if "warped" in every:
            motion_gate = _motion_gate(start, controls.reference)
        if {"warped", "regions"} <= every:
            head_mask = _soften(controls.regions != EMPTY, _RIM_PX)
        if "regions" in every:
            mouth_mask = _soften(_region_mask(controls.regions, MOUTH_INTERIOR), 5)
            hue_mask = _soften(_region_mask(controls.regions, ("lips", *MOUTH_INTERIOR)), _RIM_PX)
        reference, pose = self.reference(controls, used), self.pose(controls, used)
        return Conditions(reference, pose, start, motion_gate, head_mask, mouth_mask, hue_mask)

    def start(self, controls: Controls) -> Tensor:
        """Return the start of the flow [B, F, 3, S, S]: the warped reference; the plain one without that input."""
        if "warped" in self.config.inputs:
            return controls.warped
        return controls.reference[:, None].expand_as(controls.warped)

    def forward(self, frames: Tensor, time: Tensor, conditions: Conditions) -> CompactOutput:
        """Predict clean frames from frames [B, F, 3, S, S] on the path of the flow at time [B], 0 to 1."""
        b, f = frames.shape[:2]
        t = self.time(_encode_time(time))
        fine = self.fold(fold(frames.flatten(0, 1))) + conditions.pose[0]
        frame_time = t.repeat_interleave(f, 0)
        fine = self.into[0](fine, frame_time)
        middle = self.into[1](self.down[0](F.silu(fine)) + conditions.pose[1], frame_time)
        coarse = self.down[1](F.silu(middle)) + conditions.pose[2]

        rows, columns = coarse.shape[-2:]
        x = coarse.flatten(2).transpose(1, 2).unflatten(0, (b, f))
        rotations = grid_rotary(rows, columns, x.device), rotary(torch.arange(f, device=x.device), HEAD)
        terms = self.terms(F.silu(t)).unflatten(-1, (Block.TERMS, -1))
        for block in self.blocks:
            x = block(x, conditions.reference, terms, rotations)
        x = x.flatten(0, 1).transpose(1, 2).unflatten(-1, (rows, columns))

        x = self.out_of[0](F.pixel_shuffle(self.up[0](x), 2) + middle, frame_time)
        x = self.out_of[1](F.pixel_shuffle(self.up[1](x), 2) + fine, frame_time)
        last = self.last(F.silu(x))
        last = conditions.motion_gate.expand(b, f, 1, *last.shape[-2:]).flatten(0, 1) * last
        displacement = (_UNIT_PX * last[:, -2:]).unflatten(0, (b, f))
        displaced = displace(conditions.start, displacement)
        residual = F.pixel_shuffle(last[:, :-2], FOLD).unflatten(0, (b, f))
        residual = torch.lerp(residual, _smooth(residual), conditions.mouth_mask)
        residual = conditions.head_mask * torch.lerp(_without_hue(residual, displaced), residual, conditions.hue_mask)
        return CompactOutput(displaced + residual, displacement, residual)


def displace(images: Tensor, displacement: Tensor) -> Tensor:
    """Displace images.

    Args:
        images: [B, F, 3, H, W].
        displacement: [B, F, 2, h, w] px (x, y) from a pixel to where its content is taken from, of an image FOLD times
            as large as this; larger images are displaced in proportion.
    """
    h, w = images.shape[-2:]
    flat, offsets = images.flatten(0, 1), displacement.flatten(0, 1)
    sides_px = FOLD * offsets.new_tensor([offsets.shape[-1], offsets.shape[-2]])
    offsets = offsets / sides_px[:, None, None]
    offsets = F.interpolate(offsets.to(flat.dtype), (h, w), mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
    y = (torch.arange(h, device=flat.device, dtype=flat.dtype) + 0.5) / h
    x = (torch.arange(w, device=flat.device, dtype=flat.dtype) + 0.5) / w
    grid = torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]), -1)
    places = 2.0 * (grid + offsets) - 1.0
    # Bilinear sampling would blur whatever is displaced by a part of a pixel.
    displaced = F.grid_sample(flat, places, mode="bicubic", padding_mode="border", align_corners=False)
    return displaced.view(images.shape)


def _motion_gate(start: Tensor, reference: Tensor) -> Tensor:
    """Return 0 where nothing around a pixel differs from the reference, near 1 wherever anything moves."""
    change = (start - reference[:, None]).abs().mean(2).flatten(0, 1)[:, None]
    around = F.avg_pool2d(change, _AROUND_PX, FOLD, (_AROUND_PX - FOLD) // 2, count_include_pad=False)
    return (1.0 - torch.exp(-around / _CHANGE)).unflatten(0, start.shape[:2])


def _region_mask(regions: Tensor, names: Sequence[str]) -> Tensor:
    return torch.isin(regions, torch.tensor(region_ids(*names), device=regions.device, dtype=regions.dtype))


def _soften(mask: Tensor, rim_px: int) -> Tensor:
    """Return a mask [B, F, S, S] as [B, F, 1, S, S]: 1 in it, falling to 0 around it."""
    dilated = F.max_pool2d(mask.float(), rim_px, 1, rim_px // 2)
    return F.avg_pool2d(dilated, rim_px, 1, rim_px // 2)[:, :, None]


def _without_hue(residual: Tensor, images: Tensor) -> Tensor:
    """Reduce an RGB residual to images [B, F, 3, S, S] to a darkening that keeps hue or a grey lightening.

    Light that is added has no hue: if it were multiplied, the little red of dark hair would glow.
    """
    brightness, mean = images + 1.0, residual.mean(2, keepdim=True)
    grey = brightness.mean(2, keepdim=True).clamp(min=0.05)  # darker colours have no hue
    return mean.clamp(min=0.0) + mean.clamp(max=0.0) * brightness / grey


def _smooth(images: Tensor) -> Tensor:
    """Smooth images [B, F, 3, S, S] by a filter that removes all that repeats every 2 or 4 px, as folded pixels may."""
    kernel = (1.0, 2.0, 2.0, 2.0, 1.0)
    flat = images.flatten(0, 2)[:, None]
    weights = flat.new_tensor(kernel) / sum(kernel)
    flat = F.pad(flat, (2, 2, 2, 2), mode="replicate")
    return F.conv2d(F.conv2d(flat, weights[None, None, None]), weights[None, None, :, None]).view(images.shape)


class _Residual(nn.Module):
    """Two convolutions beside the features; untrained they add nothing."""

    def __init__(self, width: int, time_width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.time = nn.Linear(time_width, width)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return x + self.second(F.silu(self.first(F.silu(x)) + self.time(t)[:, :, None, None]))


def _encode_time(time: Tensor) -> Tensor:
    """Return sines and cosines [B, _WAVES] of times [B] from 0 to 1."""
    frequencies = 10000.0 ** -torch.linspace(0.0, 1.0, _WAVES // 2, device=time.device)
    angles = 1000.0 * time[:, None].float() * frequencies
    return torch.cat([angles.sin(), angles.cos()], -1)
