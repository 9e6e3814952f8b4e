# SPDX-License-Identifier: Apache-2.0
"""Where a motion puts the vertices of a head."""

from __future__ import annotations

import torch
from torch import Tensor

from .gaze import with_look_activations
from .landmark_following import following
from .motion import Motion
from .pose import pose
from .shape import HeadShape

TORSO_SHARE = 0.6
"""How much of the neck's way the shoulders go along with: they lean with the head, but less."""


def torso_translation(head: HeadShape, reference: Motion, motion: Motion) -> Tensor:
    """[F, 3] metres that the shoulders have moved since the reference, a motion of one frame; they never turn.

    Measured at the base of the neck, where a mere turn of the head moves little.
    """
    before, after = (m.rotation @ head.joints[0] + m.translation for m in (reference, motion))
    return TORSO_SHARE * (after - before)


def codes_of(head: HeadShape, motion: Motion) -> Tensor:
    """[F, 52] expression codes whose eyeLook says where the eyes look."""
    return with_look_activations(motion.expression, motion.gaze, head.gaze_limits)


def vertex_offset(head: HeadShape, motion: Motion) -> Tensor | None:
    """[F, V, 3] metres, canonical: the motion's dynamic offsets, or else those by which skin follows its landmarks.

    None if the motion has neither. Raises ValueError if dynamic offsets are of another mesh.
    """
    offset = motion.dynamic_offset
    if offset is None:
        return None if motion.landmark_offset is None else following(head) @ motion.landmark_offset
    if offset.shape[1] != len(head.neutral):
        raise ValueError(f"dynamic_offset has {offset.shape[1]} points; want {len(head.neutral)} vertices")
    return offset


def deformed(head: HeadShape, motion: Motion) -> Tensor:
    """[F, V, 3] vertices in canonical head space, metres, before any pose. Shut lids and lips meet."""
    with torch.no_grad():
        return head(motion.expression, motion.gaze, vertex_offset(head, motion))


def posed(
    head: HeadShape, shapes: Tensor, motion: Motion, reference: Motion, head_weight: Tensor | None = None
) -> Tensor:
    """[F, V, 3] canonical -> [F, V, 3] camera space, metres: the head at its pose, the torso at the reference's.

    reference: of one frame.
    head_weight: [V] blends the two over the neck; None: the head's own, a finer mesh has finer ones.
    """
    weight = (head.topology.head_weight if head_weight is None else head_weight).to(shapes.device)
    shoulders = reference.translation + torso_translation(head, reference, motion)
    return pose(shapes, motion.rotation, motion.translation, weight, reference.rotation, shoulders)


def posed_vertices(head: HeadShape, motion: Motion, reference: Motion) -> Tensor:
    """[F, V, 3] vertices in camera space, metres; see `deformed` and `posed`."""
    return posed(head, deformed(head, motion), motion, reference)
