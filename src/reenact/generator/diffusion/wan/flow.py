# SPDX-License-Identifier: Apache-2.0
"""What is learned: the velocity from clip to noise (flow matching, as Wan was trained), and where it counts more."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d

from reenact.head.regions import EYEBALL, MOUTH_INTERIOR, region_ids

_MOUTH = region_ids("lips", *MOUTH_INTERIOR)
_EYES = region_ids("eyelids", "eye_socket", "eyelashes", *EYEBALL)


def drawn_sigma(count: int, shift: float, within: tuple[float, float], draw: Generator) -> Tensor:
    """[count] noise levels, spread as the scheduler's steps are: evenly, then moved towards noise by `shift`."""
    low, high = (level / (shift - (shift - 1.0) * level) for level in within)
    even = low + (high - low) * torch.rand(count, generator=draw)
    return shift * even / (1.0 + (shift - 1.0) * even)


def noised(clip: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """[B, z, T, h, w] at noise level sigma [B]; the velocity there is `noise - clip`."""
    level = sigma[:, None, None, None, None]
    return (1.0 - level) * clip + level * noise


def region_weights(regions: Tensor, grid: tuple[int, int], mouth: float, eyes: float) -> Tensor:
    """[B, 1, T, h, w] how much each latent counts, 1 on average: where the driven head's mouth and eyes are, more.

    regions: [B, F, S, S] labels. grid: frames and px that a latent stands for. mouth, eyes: weight beside 1 elsewhere.
    """
    frames, pixels = grid
    weight = torch.ones(regions.shape, device=regions.device)
    for labels, value in ((_MOUTH, mouth), (_EYES, eyes)):
        weight[torch.isin(regions, torch.tensor(labels, dtype=regions.dtype, device=regions.device))] = value
    small = avg_pool2d(weight, pixels)
    first, others = small[:, :1], small[:, 1:]
    found = torch.cat([first, others.unflatten(1, (-1, frames)).mean(2)], dim=1)
    return (found / found.mean(dim=(1, 2, 3), keepdim=True))[:, None]


def flow_loss(velocity: Tensor, clip: Tensor, noise: Tensor, weights: Tensor, known: int) -> Tensor:
    """[B] weighted mean square error of [B, z, T, h, w], but for the first `known` latents, which were given."""
    error = (velocity - (noise - clip)).square().mean(dim=1, keepdim=True)
    return (weights * error)[:, :, known:].mean(dim=(1, 2, 3, 4))
