# SPDX-License-Identifier: Apache-2.0
"""Losses of predicted frames, weighted to the mouth. Eyes have none: they stay as the warp has them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from reenact.generator.diffusion.controls import Controls
from reenact.head.regions import EMPTY, MOUTH_INTERIOR, region_ids

from .loop import Losses

_MOUTH = 4.0  # weight of lips and mouth; of the head's other pixels 1
_GRAIN = 8  # px a side of the neighbourhoods in which the mean slope is compared
_FLAT = 1e-5  # squared, below which a slope counts as its square
_SOFT = 0.02  # errors below count as their square


def importance(controls: Controls) -> Tensor:
    """Return the weights of pixels [B, F, 1, S, S], by what the driven head shows there."""
    regions = controls.regions
    weight = torch.where(regions != EMPTY, 1.0, 0.4)
    weight = torch.maximum(weight, _MOUTH * _near(regions, ("lips", *MOUTH_INTERIOR), 7))
    return weight[:, :, None]


def mouths(controls: Controls) -> Tensor:
    """Return where the driven head shows the inside of its mouth [B, F, 1, S, S], and a little around it."""
    return _near(controls.regions, MOUTH_INTERIOR, 5)[:, :, None] > 0


def _near(regions: Tensor, names: Sequence[str], px: int) -> Tensor:
    """Mask the named regions [B, F, S, S] and `px` // 2 px around them: 1 in them, 0 elsewhere."""
    inside = torch.isin(regions, torch.tensor(region_ids(*names), device=regions.device, dtype=regions.dtype))
    return F.max_pool2d(inside.float(), px, stride=1, padding=px // 2)


def generator_losses(clean: Tensor, frames: Tensor, weight: Tensor, mouth: Tensor) -> Losses:
    """Compute the losses of predicted frames.

    The first three of the terms are least where what is uncertain is blurred and teeth that may be there are grey;
    sharpness and palette are not.

    Args:
        clean: [B, F, 3, S, S] predicted frames from -1 to 1.
        frames: [B, F, 3, S, S] true frames from -1 to 1.
        weight: see `importance`.
        mouth: see `mouths`.

    Returns:
        colour: of pixels. edges: of their differences in x and y, at two sizes. motion: of their differences in time.
        sharpness: of the mean slope around a pixel. palette: of the set of a mouth's colours, wherever they are.
        loss: the weighted sum of all.
    """
    mean = weight.mean()
    error = clean - frames
    # Where teeth begin is never sure: pixel by pixel the likeliest mouth is one grey, all over and all the time.
    firm = torch.where(mouth, 0.5, weight)
    colour = (firm * _soft(error)).mean() / mean
    edges = error.new_zeros(())
    small, weights = error.flatten(0, 1), firm.flatten(0, 1)
    for _ in range(2):
        edges = edges + (weights[..., 1:] * _soft(small.diff(dim=-1))).mean() / mean
        edges = edges + (weights[..., 1:, :] * _soft(small.diff(dim=-2))).mean() / mean
        small, weights = F.avg_pool2d(small, 2), F.avg_pool2d(weights, 2)
    motion = (firm[:, 1:] * _soft(error.diff(dim=1))).mean() / mean if error.shape[1] > 1 else error.new_zeros(())
    predicted, true = (F.avg_pool2d(slope(x).flatten(0, 1), _GRAIN, _GRAIN // 2) for x in (clean, frames))
    around = F.avg_pool2d(firm.flatten(0, 1), _GRAIN, _GRAIN // 2)  # in mouths the network would weave a grid for it
    sharpness = (around * (predicted - true).abs()).mean() / mean
    palette = (
        _MOUTH * palette_distance(clean, frames, mouth) / (mean * len(small) * weight.shape[-1] * weight.shape[-2])
    )
    loss = colour + 0.5 * edges + 0.5 * motion + 2.0 * sharpness + 6.0 * palette
    return {
        "loss": loss,
        "colour": colour,
        "edges": edges,
        "motion": motion,
        "sharpness": sharpness,
        "palette": palette,
    }


def palette_distance(clean: Tensor, frames: Tensor, where: Tensor) -> Tensor:
    """Measure how far the colours of two pictures are from each other as sets, frame by frame; summed over pixels.

    The sliced Wasserstein distance (Bonneel et al. 2015; of textures: Heitz et al., arXiv 2006.07229). Not of steps
    from pixel to pixel as well: a woven grid has as many as teeth have. clean, frames: [B, F, 3, S, S]; where: as
    `mouths`.
    """
    draw = torch.Generator().manual_seed(0)
    slices = F.normalize(torch.randn(3, 12, generator=draw), dim=0).to(clean)
    total = clean.new_zeros(())
    for predicted, true, mask in zip(clean.flatten(0, 1), frames.flatten(0, 1), where.flatten(0, 1)[:, 0], strict=True):
        if not mask.any():
            continue
        sets = [(x[:, mask].T @ slices).sort(dim=0).values for x in (predicted, true)]
        total = total + _soft(sets[0] - sets[1]).mean(1).sum()
    return total


def slope(pictures: Tensor) -> Tensor:
    """Return the slope [..., 1, S, S] of pictures [..., 3, S, S] over all colours; 0 at the last row and column."""
    x, y = pictures.diff(dim=-1)[..., :-1, :], pictures.diff(dim=-2)[..., :-1]
    return F.pad(((x.square() + y.square()).sum(-3, keepdim=True) + _FLAT).sqrt() - _FLAT**0.5, (0, 1, 0, 1))


def _soft(error: Tensor) -> Tensor:
    return torch.sqrt(error.square() + _SOFT**2) - _SOFT
