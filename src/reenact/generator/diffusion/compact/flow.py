# SPDX-License-Identifier: Apache-2.0
"""Flow matching from the warped photo to the frame.

The flow does not begin with pure noise but with what the warp shows, noise added where the photo does not show the
head (flow matching with data-dependent couplings, Albergo et al., arXiv 2310.03725): a short way, which a few straight
steps go. The noise of a clip is one picture: all of its frames and windows share it, so that it cannot flicker.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import torch
from torch import Tensor

from reenact.head.regions import EMPTY

from ..controls import Controls
from .network import CompactNet, Conditions, Painted

_NOISE, _HIDDEN_NOISE = 0.01, 0.3
"""Standard deviation (of colours from -1 to 1) everywhere, and in addition where the photo does not show the head."""
NOTHING: Set[str] = frozenset()


def noise_like(controls: Controls, seed: int) -> Tensor:
    """[1, 1, 3, S, S] standard normal, the same on every device."""
    side = controls.photo.shape[-1]
    drawn = torch.randn(1, 1, 3, side, side, generator=torch.Generator().manual_seed(seed))
    return drawn.to(controls.photo.device)


def begin(start: Tensor, controls: Controls, noise: Tensor) -> Tensor:
    """[B, F, 3, S, S] the flow's frames at time 0."""
    drawn = (controls.regions != EMPTY)[:, :, None]
    return start + (_NOISE + _HIDDEN_NOISE * drawn * (1.0 - controls.visibility)) * noise


def on_the_way(begun: Tensor, frames: Tensor, time: Tensor) -> Tensor:
    """Between begun and clean frames [B, F, 3, S, S] at time [B]."""
    return torch.lerp(begun, frames, time.view(-1, 1, 1, 1, 1))


@dataclass(frozen=True)
class Sampling:
    """How a flow is followed. Raises ValueError for no steps at all."""

    steps: int = 2
    guidance: float = 1.0
    """1 paints what is told; more exaggerates its difference from what is painted untold (classifier-free guidance,
    Ho and Salimans, arXiv 2207.12598, over all conditions at once) and takes twice as long."""
    seed: int = 0
    temperature: float = 0.0
    """Share of the noise learnt with that the flow begins with. 0: none; the weights shipped leave grain where there is
    any (docs/generator.md), and the seed counts for nothing then."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"{self.steps} steps paint nothing; want at least 1")


@torch.no_grad()
def sample(net: CompactNet, controls: Controls, how: Sampling) -> Painted:
    """What the flow ends with."""
    steps, guidance = how.steps, how.guidance
    told = net.conditions(controls)
    untold = None if guidance == 1.0 else net.conditions(controls, NOTHING)
    x = begin(told.start, controls, how.temperature * noise_like(controls, how.seed))
    painted = _guided(net, x, 0.0, told, untold, guidance)
    for done in range(1, steps):
        left = steps - done + 1
        x = x + (painted.clean - x) / left
        painted = _guided(net, x, done / steps, told, untold, guidance)
    return painted


def _guided(
    net: CompactNet, x: Tensor, time: float, told: Conditions, untold: Conditions | None, guidance: float
) -> Painted:
    at = x.new_full((len(x),), time)
    found = net(x, at, told)
    if untold is None:
        return found
    plain = net(x, at, untold)
    return Painted(*(torch.lerp(getattr(plain, n), getattr(found, n), guidance) for n in Painted.__dataclass_fields__))
