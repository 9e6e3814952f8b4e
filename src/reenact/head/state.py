# SPDX-License-Identifier: Apache-2.0
"""Where a motion puts the vertices of a head."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from .gaze import with_look_activations
from .landmarks import LANDMARKS
from .motion import Motion
from .pose import pose
from .regions import EYEBALL, MOUTH_INTERIOR, region_ids
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
    """[F, V, 3] metres, canonical: the motion's dynamic offsets, spread from landmarks to vertices if they are there.

    None if the motion has none. Raises ValueError if they are of another mesh.
    """
    offset = motion.dynamic_offset
    if offset is None or offset.shape[1] == len(head.neutral):
        return offset
    if offset.shape[1] != LANDMARKS:
        raise ValueError(
            f"dynamic_offset has {offset.shape[1]} points; want {LANDMARKS} landmarks or {len(head.neutral)} vertices"
        )
    return spread_landmark_offsets(head, offset)


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


_REACH_M = 0.007  # about the distance of two landmarks of a cheek
_NEAREST = 12
_BEYOND_M = 0.03  # over which offsets end beyond the outermost landmarks


def spread_landmark_offsets(head: HeadShape, offsets: Tensor) -> Tensor:
    """[F, V, 3] metres of the vertices, from those of the landmarks [F, 478, 3].

    Skin follows the landmarks around it, less the farther it is from any. What is no skin stays in shape: an eyeball,
    or what is inside of the mouth, follows by the mean of its offsets.
    """
    top, neutral = head.topology, head.neutral
    distance, near = KDTree(top.at_landmarks(neutral).numpy()).query(neutral.numpy(), k=_NEAREST)
    weight = np.exp(-0.5 * (distance / _REACH_M) ** 2) + 1e-12
    weight /= weight.sum(axis=1, keepdims=True)
    weight *= np.exp(-0.5 * (np.maximum(distance[:, :1] - _REACH_M, 0.0) / _BEYOND_M) ** 2)
    out = torch.einsum("vk,fvkc->fvc", torch.from_numpy(weight.astype(np.float32)), offsets[:, near])
    lips = top.region_vertices(*region_ids("lips"))
    interior = top.region_vertices(*region_ids(*MOUTH_INTERIOR))
    balls = top.region_vertices(*region_ids(*EYEBALL))
    left = neutral[balls, 0] > 0
    for part in (balls[left], balls[~left], interior[~torch.isin(interior, lips)]):
        out[:, part] = out[:, part].mean(1, keepdim=True)
    return out
