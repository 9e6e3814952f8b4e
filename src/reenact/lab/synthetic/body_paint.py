# SPDX-License-Identifier: Apache-2.0
"""Clothes and what skin they leave free, on the body's part of the sheet."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reenact.head.smoothstep import smoothstep

from .body import LAST
from .chart import BODY_HEIGHT, HEIGHT, WIDTH
from .looks import Looks
from .noise import fractal, noise_volume, rng
from .people import SyntheticPerson


def paint_body(sheet: Tensor, person: SyntheticPerson, looks: Looks) -> None:
    """In place: rows from HEIGHT on. Columns go around the neck, the front in the middle."""
    draw = rng(person.seed, "clothes")
    y, x = torch.meshgrid(torch.arange(BODY_HEIGHT), torch.arange(WIDTH), indexing="ij")
    s = ((y - 4) / (BODY_HEIGHT - 8) * LAST).clamp(min=0).reshape(-1)
    turn = ((x - 4) / (WIDTH - 8) * 2 * np.pi - np.pi).reshape(-1)  # 0 in front
    around = torch.stack([torch.sin(turn) * (0.06 + 0.12 * s), s * 0.18, torch.cos(turn) * 0.12], 1)
    volume = noise_volume(person.seed, "cloth", 3)
    weave, folds_ = fractal(volume, around, 0.004, 2), fractal(volume, around + 0.5, 0.07, 3)
    front = torch.exp(-((turn / 0.42) ** 2))
    neckline = {"crew": 0.30 + 0.10 * front, "v": 0.33 + 0.55 * torch.exp(-(turn / 0.33).abs() ** 1.4),
                "shirt": 0.16 + 0.42 * torch.exp(-(turn / 0.22).abs() ** 1.5), "turtle": 0.0 * front - 0.2}  # fmt: skip
    edge = neckline[looks.collar] + 0.015 * folds_[:, 0] + draw.uniform(-0.03, 0.05)
    cloth = smoothstep(-0.012, 0.012, s - edge)[:, None]
    skin = torch.from_numpy(looks.tone) * (1.0 + 0.03 * folds_[:, :1] + 0.03 * weave[:, :1])
    skin = skin * (1.0 - 0.35 * smoothstep(-0.10, 0.0, s - edge)[:, None])  # the shade under the hem
    colour = _pattern(looks, s, turn, folds_) * (1.0 + 0.06 * weave[:, 1:2])
    hem = torch.exp(-(((s - edge - 0.035) / 0.018) ** 2))[:, None]
    colour = colour * (1.0 - 0.25 * hem)
    collar_fold = torch.exp(-(((s - edge - 0.17) / 0.02) ** 2))[:, None] * float(looks.collar == "shirt")
    colour = colour * (1.0 - 0.45 * collar_fold)
    albedo = (skin * (1 - cloth) + colour * cloth).clamp(0.004, 0.9)
    relief = (0.0022 * folds_[:, 1] * cloth[:, 0]).view(BODY_HEIGHT, WIDTH)
    part = sheet[:, HEIGHT:]
    part[:3] = albedo.T.view(3, BODY_HEIGHT, WIDTH)
    part[3] = (0.3 * (1 - cloth[:, 0])).view(BODY_HEIGHT, WIDTH)
    part[4, :, 1:-1] = (relief[:, 2:] - relief[:, :-2]) / 0.003
    part[5, 1:-1] = (relief[2:] - relief[:-2]) / 0.003
    part[4:6].clamp_(-0.7, 0.7)
    part[6] = cloth.view(BODY_HEIGHT, WIDTH)


def _pattern(looks: Looks, s: Tensor, turn: Tensor, folds_: Tensor) -> Tensor:
    """[N, 3] colour of the cloth."""
    first, second = torch.from_numpy(looks.cloth), torch.from_numpy(looks.cloth_second)
    down, across = torch.sin(s * 42.0), torch.sin(turn * 38.0)
    share = {
        0: torch.zeros_like(s),
        1: smoothstep(-0.2, 0.2, down),
        2: 0.5 * smoothstep(0.2, 0.5, down) + 0.5 * smoothstep(0.2, 0.5, across),
        3: smoothstep(-0.1, 0.3, folds_[:, 2]),
    }[looks.cloth_pattern][:, None]
    return first * (1 - share) + second * share
