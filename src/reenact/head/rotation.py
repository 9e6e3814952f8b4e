# SPDX-License-Identifier: Apache-2.0
"""Rotations."""

from __future__ import annotations

import torch
from torch import Tensor


def rotations(turns: Tensor) -> Tensor:
    """Rotation vectors [..., 3], radians -> matrices [..., 3, 3]; smooth at zero, where its derivative is exact."""
    x, y, z = turns.unbind(-1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    square = (turns * turns).sum(-1)
    small = square < 1e-8
    angle = torch.where(small, torch.ones_like(square), square).sqrt()
    sine = torch.where(small, 1.0 - square / 6.0, angle.sin() / angle)
    # (1 - cos a) / a^2 by the half angle: the difference would lose all digits of a small one.
    cosine = torch.where(small, 0.5 - square / 24.0, 2.0 * ((0.5 * angle).sin() / angle) ** 2)
    return (
        torch.eye(3, dtype=turns.dtype, device=turns.device)
        + sine[..., None, None] * skew
        + cosine[..., None, None] * (skew @ skew)
    )


def small_rotation(vector: Tensor) -> Tensor:
    """[n, 3] rotation vectors, radians -> [n, 3, 3] (Cayley's map: exact rotations, right to third order)."""
    zero = torch.zeros_like(vector[:, 0])
    x, y, z = (0.5 * vector).unbind(1)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(-1, 3, 3)
    eye = torch.eye(3, dtype=vector.dtype, device=vector.device)
    return torch.linalg.solve(eye - skew, eye + skew)
