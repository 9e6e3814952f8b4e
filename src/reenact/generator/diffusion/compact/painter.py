# SPDX-License-Identifier: Apache-2.0
"""The compact network at work: windows of 8 frames, which blend into each other."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from ..controls import Controls
from ..paint import Paint
from .flow import Sampling, sample
from .network import CompactNet


class CompactPainter:
    """See paint.Painter. Windows need not be told of each other: nothing in them is random."""

    size = 256
    window, overlap = 8, 2

    def __init__(self, net: CompactNet, sampling: Sampling) -> None:
        self._net, self._sampling = net.eval(), sampling

    def paint(self, controls: Controls, before: Tensor | None) -> Paint:
        """See paint.Painter."""
        del before
        painted = sample(self._net, controls.to(next(self._net.parameters()).device), self._sampling)
        size = controls.photo.shape[-2:]
        way = F.interpolate(painted.displacement[0], size, mode="bilinear", align_corners=False)
        return Paint(painted.clean[0], way)
