# SPDX-License-Identifier: Apache-2.0
"""Flow matching from the warped reference to the frame.

The flow does not begin with noise but with the warp (flow matching with data-dependent couplings, Albergo et al.,
arXiv 2310.03725): the path is short and nearly straight, so that a few steps suffice.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from ..controls import Controls, Prediction
from .network import CompactNet, CompactOutput, Conditions


@dataclass(frozen=True)
class Sampling:
    """How the flow is integrated. Raises ValueError for no steps."""

    steps: int = 2
    guidance: float = 1.0
    """Scale of classifier-free guidance (Ho and Salimans, arXiv 2207.12598) over all conditions at once. 1 is the
    conditional prediction; more extrapolates from the unconditional one, and takes twice as long."""

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"got {self.steps} steps; want at least 1")


@torch.no_grad()
def sample(net: CompactNet, controls: Controls, sampling: Sampling) -> CompactOutput:
    """Integrate the flow and return the last prediction."""
    steps, guidance = sampling.steps, sampling.guidance
    cond = net.conditions(controls)
    uncond = None if guidance == 1.0 else net.conditions(controls, frozenset())
    x = cond.start
    output = _guided(net, x, 0.0, cond, uncond, guidance)
    for step in range(1, steps):
        x = x + (output.clean - x) / (steps - step + 1)
        output = _guided(net, x, step / steps, cond, uncond, guidance)
    return output


def _guided(
    net: CompactNet, x: Tensor, time: float, cond: Conditions, uncond: Conditions | None, guidance: float
) -> CompactOutput:
    times = x.new_full((len(x),), time)
    output = net(x, times, cond)
    if uncond is None:
        return output
    plain = net(x, times, uncond)
    names = [field.name for field in fields(CompactOutput)]
    return CompactOutput(*(torch.lerp(getattr(plain, n), getattr(output, n), guidance) for n in names))


class CompactPredictor:
    """See controls.Predictor. Windows do not need the frames of the window before, for nothing in them is random."""

    size = 256
    window, overlap = 8, 2

    def __init__(self, net: CompactNet, sampling: Sampling) -> None:
        self._net, self._sampling = net.eval(), sampling

    def predict(self, controls: Controls, previous: Tensor | None) -> Prediction:
        """See controls.Predictor."""
        del previous
        output = sample(self._net, controls.to(next(self._net.parameters()).device), self._sampling)
        size = controls.reference.shape[-2:]
        displacement = F.interpolate(output.displacement[0], size, mode="bilinear", align_corners=False)
        return Prediction(output.clean[0], displacement)
