# SPDX-License-Identifier: Apache-2.0
"""Rigid motion of a head and, more quietly, of the torso that it sits on."""

from __future__ import annotations

import torch
from torch import Tensor


def pose(
    vertices: Tensor,
    rotation: Tensor,
    translation: Tensor,
    head_weight: Tensor,
    torso_rotation: Tensor,
    torso_translation: Tensor,
) -> Tensor:
    """Move vertices with the head, with the torso, and over the neck with both.

    Args:
        vertices: [F, V, 3] canonical, metres.
        rotation: [F, 3, 3] R_cam_head.
        translation: [F, 3] metres.
        head_weight: [V] 1 turns with the head, 0 stays with the torso.
        torso_rotation: [F or 1, 3, 3] canonical to camera.
        torso_translation: [F or 1, 3] metres.

    Returns:
        [F, V, 3] camera space, metres.
    """
    weight = head_weight[:, None]
    head = vertices @ rotation.mT + translation[:, None]
    torso = vertices @ torso_rotation.mT + torso_translation[:, None]
    return weight * head + (1.0 - weight) * torso


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
