# SPDX-License-Identifier: Apache-2.0
"""Flow matching from the warped photo to the frame.

The flow does not begin with noise but with what the warp shows (flow matching with data-dependent couplings, Albergo et
al., arXiv 2310.03725): a short way, which a few straight steps go.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..controls import Controls, Paint
from .network import CompactNet, Conditions, Painted

NOTHING: Set[str] = frozenset()


@dataclass(frozen=True)
class Sampling:
    """How a flow is followed. Raises ValueError for no steps at all."""

    steps: int = 2
    guidance: float = 1.0
    """1 paints what is told; more exaggerates its difference from what is painted untold (classifier-free guidance,
    Ho and Salimans, arXiv 2207.12598, over all conditions at once) and takes twice as long."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"{self.steps} steps paint nothing; want at least 1")


@torch.no_grad()
def sample(net: CompactNet, controls: Controls, how: Sampling) -> Painted:
    """What the flow ends with."""
    steps, guidance = how.steps, how.guidance
    told = net.conditions(controls)
    untold = None if guidance == 1.0 else net.conditions(controls, NOTHING)
    x = told.start
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


class CompactPainter:
    """See controls.Painter. Windows need not be told of each other: nothing in them is random."""

    size = 256
    window, overlap = 8, 2

    def __init__(self, net: CompactNet, sampling: Sampling) -> None:
        self._net, self._sampling = net.eval(), sampling

    def paint(self, controls: Controls, before: Tensor | None) -> Paint:
        """See controls.Painter."""
        del before
        painted = sample(self._net, controls.to(next(self._net.parameters()).device), self._sampling)
        size = controls.photo.shape[-2:]
        way = F.interpolate(painted.displacement[0], size, mode="bilinear", align_corners=False)
        return Paint(painted.clean[0], way)
