# SPDX-License-Identifier: Apache-2.0
"""Interpolation of values along a line where skin meets skin, for the vertices beside it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .model import Float


class LineInterpolation(nn.Module):
    """Linear interpolation at n vertices, each between two of Q places of a line."""

    before: Tensor  # [n] of the Q
    share: Tensor  # [n] of the next place

    def __init__(self, line: Float, at: Float) -> None:
        """line: [Q] rising coordinate of the places; at: [n] of the vertices. Beyond the ends: as at the end."""
        super().__init__()
        place = np.interp(at, line, np.arange(len(line)))
        before: NDArray[np.int64] = np.minimum(place.astype(np.int64), len(line) - 2)
        self.register_buffer("before", torch.from_numpy(before))
        self.register_buffer("share", torch.from_numpy((place - before).astype(np.float32)))

    def forward(self, values: Tensor) -> Tensor:
        """[F, Q] -> [F, n]"""
        return torch.lerp(values[:, self.before], values[:, self.before + 1], self.share)
