# SPDX-License-Identifier: Apache-2.0
"""Dynamic offsets as a file keeps them: a byte a number, on those vertices that have any."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class QuantisedOffsets:
    """F frames of offsets on some control vertices: 1/127 of each frame's largest."""

    vertices: Tensor  # [n] int32, which control vertices
    values: Tensor  # [F, n, 3] int8
    scale: Tensor  # [F] metres of 127

    def dense(self, count: int) -> Tensor:
        """[F, count, 3] metres, 0 on the other vertices."""
        out = torch.zeros(len(self.values), count, 3)
        out[:, self.vertices.long()] = self.values * (self.scale / 127.0)[:, None, None]
        return out

    @staticmethod
    def of(offsets: Tensor, vertices: Tensor) -> QuantisedOffsets:
        """Round [F, V, 3] metres, whose values off `vertices` are lost."""
        chosen = offsets[:, vertices.long()]
        scale = chosen.abs().amax((1, 2)).clamp(min=1e-9)
        return QuantisedOffsets(vertices.int(), (chosen * (127.0 / scale)[:, None, None]).round().to(torch.int8), scale)
