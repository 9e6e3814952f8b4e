# SPDX-License-Identifier: Apache-2.0
"""Rigid motion of a head and, more quietly, of the torso that it sits on."""

from __future__ import annotations

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
