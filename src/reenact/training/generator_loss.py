# SPDX-License-Identifier: Apache-2.0
"""What a painted frame is held to, most of all where faces speak: mouth and eyes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from reenact.generator.controls import Controls
from reenact.heads.regions import EMPTY, EYEBALL, MOUTH_INTERIOR, region_ids

from .loop import Losses

_SKIN, _MOUTH, _EYES, _ELSEWHERE = 1.0, 4.0, 3.0, 0.4
_AROUND = 7  # px a side by which mouth and eyes are widened: lips and lids belong to them
_SOFT = 0.02  # errors below count as their square


def importance(controls: Controls) -> Tensor:
    """[B, F, 1, S, S] weights of pixels, by what the driven head shows there."""
    regions = controls.regions
    weight = torch.where(regions != EMPTY, _SKIN, _ELSEWHERE)
    for names, value in ((("lips", *MOUTH_INTERIOR), _MOUTH), ((*EYEBALL, "eyelids"), _EYES)):
        inside = torch.isin(regions, torch.tensor(region_ids(*names), device=regions.device, dtype=regions.dtype))
        near = F.max_pool2d(inside.float(), _AROUND, stride=1, padding=_AROUND // 2)
        weight = torch.maximum(weight, value * near)
    return weight[:, :, None]


def generator_losses(clean: Tensor, frames: Tensor, weight: Tensor) -> Losses:
    """colour: of pixels; edges: of their differences in x and y, at two sizes; motion: of their differences in time.

    clean, frames: [B, F, 3, S, S] from -1 to 1. weight: see `importance`.
    """
    mean = weight.mean()
    error = clean - frames
    colour = (weight * _soft(error)).mean() / mean
    edges = error.new_zeros(())
    small, weights = error.flatten(0, 1), weight.flatten(0, 1)
    for _ in range(2):
        edges = edges + (weights[..., 1:] * _soft(small.diff(dim=-1))).mean() / mean
        edges = edges + (weights[..., 1:, :] * _soft(small.diff(dim=-2))).mean() / mean
        small, weights = F.avg_pool2d(small, 2), F.avg_pool2d(weights, 2)
    motion = (weight[:, 1:] * _soft(error.diff(dim=1))).mean() / mean if error.shape[1] > 1 else error.new_zeros(())
    return {"loss": colour + 0.5 * edges + 0.5 * motion, "colour": colour, "edges": edges, "motion": motion}


def _soft(error: Tensor) -> Tensor:
    return torch.sqrt(error.square() + _SOFT**2) - _SOFT
