# SPDX-License-Identifier: Apache-2.0
"""Interpolation of values along a line where skin meets skin, for the vertices beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LineInterpolation(nn.Module):
    """Linear interpolation at n vertices, each between two of Q places of a line."""

    before: Tensor  # [n] of the Q
    share: Tensor  # [n] of the next place

    def __init__(self, line: Tensor, at: Tensor) -> None:
        """line: [Q] rising coordinate of the places; at: [n] of the vertices. Beyond the ends: as at the end."""
        super().__init__()
        before = torch.searchsorted(line.detach().contiguous(), at.detach().contiguous(), right=True) - 1
        before = before.clamp(0, len(line) - 2)
        step = line[before + 1] - line[before]
        share = (at - line[before]) / torch.where(step > 0, step, 1.0)
        self.register_buffer("before", before)
        self.register_buffer("share", torch.where(step > 0, share, (at >= line[before]).to(share)).clamp(0.0, 1.0))

    def forward(self, values: Tensor) -> Tensor:
        """[F, Q, ...] -> [F, n, ...]"""
        share = self.share.reshape(-1, *[1] * (values.ndim - 2))
        return torch.lerp(values[:, self.before], values[:, self.before + 1], share)
