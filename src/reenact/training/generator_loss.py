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
_GRAIN = 8  # px a side of the neighbourhoods in which the mean slope is compared
_FLAT = 1e-5  # squared, below which a slope counts as its square
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
    """colour: of pixels; edges: of their differences in x and y, at two sizes; motion: of their differences in time;
    sharpness: of how steep colours are around a pixel, wherever exactly that is. All others are least where what is not
    sure is blurred; this is not.

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
    painted, true = (F.avg_pool2d(slope(x).flatten(0, 1), _GRAIN, _GRAIN // 2) for x in (clean, frames))
    around = F.avg_pool2d(weight.flatten(0, 1), _GRAIN, _GRAIN // 2)
    sharpness = (around * (painted - true).abs()).mean() / mean
    loss = colour + 0.5 * edges + 0.5 * motion + 2.0 * sharpness
    return {"loss": loss, "colour": colour, "edges": edges, "motion": motion, "sharpness": sharpness}


def slope(pictures: Tensor) -> Tensor:
    """[..., 1, S, S] how steep pictures [..., 3, S, S] are, all colours together; 0 at the last row and column."""
    x, y = pictures.diff(dim=-1)[..., :-1, :], pictures.diff(dim=-2)[..., :-1]
    return F.pad(((x.square() + y.square()).sum(-3, keepdim=True) + _FLAT).sqrt() - _FLAT**0.5, (0, 1, 0, 1))


def _soft(error: Tensor) -> Tensor:
    return torch.sqrt(error.square() + _SOFT**2) - _SOFT
