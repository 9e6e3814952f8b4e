# SPDX-License-Identifier: Apache-2.0
"""What is painted on the shells of hair: strands cut out of each shell, and their colour; or cloth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reenact.head.smoothstep import smoothstep

from .hair import COLUMNS, DOWN, LAYERS, Hair
from .looks import Looks
from .noise import fractal, noise, noise_volume, rng
from .people import SyntheticPerson

WIDE, TALL = 1024, 160  # px around and down
_NEEDS = (-1.5, -0.7, -0.2, 0.2)
"""Of each shell: from which strength on a strand is there. The innermost is nearly whole."""
CHANNELS = 4 + len(LAYERS)
"""Albedo (3), lean of the strands to the side, and how much each shell covers, 0..1."""


@dataclass(frozen=True)
class HairPaint:
    """For one person."""

    sheet: Tensor  # [CHANNELS, TALL, WIDE]
    cloth: bool  # a cap or scarf, not hair


def paint_hair(person: SyntheticPerson, looks: Looks, shells: Hair) -> HairPaint:
    """The sheet of a person's hair; texture coordinates as `hair.hair_corners`."""
    draw = rng(person.seed, "strands")
    y, x = torch.meshgrid((torch.arange(TALL) + 0.5) / TALL, (torch.arange(WIDE) + 0.5) / WIDE, indexing="ij")
    x, y = x.reshape(-1), y.reshape(-1)
    volume = noise_volume(person.seed, "hair", 3)
    # Around, a circle closes by itself; its radius sets how many strands there are.
    curl = looks.curl
    drift = 0.25 * noise(volume, _ring(x, y, 1.3, 3.0), 0.35)[:, 0] * (0.3 + curl)
    drift = drift + 0.05 * curl * torch.sin(y * 70.0 + 6.0 * noise(volume, _ring(x, y, 4.0, 2.0), 0.5)[:, 1])
    turned = x + 0.06 * drift
    strand = fractal(volume, _ring(turned, y, 17.0, 1.2 + 40.0 * curl**2), 0.5, 3, 0.75)
    lock = fractal(volume, _ring(turned, y, 2.6, 0.8 + 8.0 * curl**2), 0.5, 2)
    line = _from_grid(shells.line)
    fall = _from_grid(shells.fall)
    cloth = looks.hair_style in ("cap", "scarf")
    ragged = 0.0 if cloth else 0.007 * (strand[:, 1] + lock[:, 1])
    inside = smoothstep(-0.004, 0.007 if not cloth else -0.0005, line + ragged)
    ends = smoothstep(1.0, 0.82, fall + (0.0 if cloth else 0.22 * strand[:, 2].abs()))
    cover = []
    for need in _NEEDS:
        cut = torch.ones_like(x) if cloth else smoothstep(need - 0.5, need + 0.5, strand[:, 0] + 0.5 * lock[:, 0])
        cover.append(cut * inside * ends * (1.0 if cloth else 0.96))
    if looks.hair_style == "bald":
        cover = [torch.zeros_like(x)] * len(LAYERS)
    colour = torch.from_numpy(looks.hair_colour)
    if cloth:
        albedo = torch.from_numpy(looks.cloth_second) * (1.0 + 0.12 * strand[:, :1] + 0.10 * lock[:, :1])
    else:
        streaks = float(draw.uniform(0.2, 0.5))
        albedo = colour * (1.0 + streaks * strand[:, 1:2] + streaks * lock[:, :1]).clamp(0.25, 2.2)
        roots = smoothstep(0.25, 0.0, y)[:, None] * 0.25
        albedo = albedo * (1.0 - roots)
    lean = 0.5 * strand[:, 2] + 0.5 * lock[:, 2]
    rows = [albedo.T.clamp(0.003, 0.9), lean[None], torch.stack(cover)]
    return HairPaint(torch.cat(rows).view(CHANNELS, TALL, WIDE), cloth)


def _ring(x: Tensor, y: Tensor, radius: float, down: float) -> Tensor:
    """Points on a cylinder, so that noise closes around it."""
    angle = 2 * np.pi * x
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle), down * y], 1)


def _from_grid(values: np.ndarray) -> Tensor:
    """[DOWN * COLUMNS] at the grid's vertices -> [TALL * WIDE], linear."""
    grid = torch.from_numpy(values).view(1, 1, DOWN, COLUMNS)
    return torch.nn.functional.interpolate(grid, (TALL, WIDE), mode="bilinear", align_corners=True).view(-1)
