# SPDX-License-Identifier: Apache-2.0
"""Where a motion puts the vertices of a head."""

from __future__ import annotations

import numpy as np
import torch

from .dynamic import carried
from .gaze import with_gaze
from .model import Float
from .motion import Motion
from .pose import pose
from .rig import Rig

TORSO_SHARE = 0.6
"""How much of the neck's way the shoulders go along with: they lean with the head, but less."""


def torso_translation(rig: Rig, photo: Motion, states: Motion) -> Float:
    """[F, 3] metres that the shoulders have moved since the photo, a motion of one frame; they never turn.

    Measured at the base of the neck, where a mere turn of the head moves little.
    """
    before, after = (m.rotation.numpy() @ rig.joints.neck + m.translation.numpy() for m in (photo, states))
    return (TORSO_SHARE * (after - before)).astype(np.float32)


def codes_of(rig: Rig, states: Motion) -> Float:
    """[F, 52] expression codes whose eyeLook says where the eyes look."""
    return with_gaze(states.expression.numpy(), states.gaze.numpy(), rig.gaze_limits).astype(np.float32)


def deformed(rig: Rig, states: Motion) -> Float:
    """[F, V, 3] vertices in canonical head space, metres, before any pose. Shut lids and lips meet, see `met`."""
    shapes = rig.deform(states.expression.numpy(), states.gaze.numpy())
    if states.dynamic_offset is not None:
        shapes += carried(rig, states.dynamic_offset.numpy())
    return met(rig, shapes, states)


def met(rig: Rig, shapes: Float, states: Motion) -> Float:
    """Shapes [F, V, 3] of F frames, their lids and lips made to meet."""
    return rig.met(shapes, states.expression.numpy())


def posed(rig: Rig, shapes: Float, states: Motion, photo: Motion, head_weight: Float | None = None) -> Float:
    """[F, V, 3] canonical -> [F, V, 3] camera space, metres: the head at its pose, the torso at the photo's.

    photo: of one frame.
    head_weight: [V] blends the two over the neck; None: the rig's own, a finer mesh has finer ones.
    """
    weight = torch.from_numpy(rig.topology.head_weight if head_weight is None else head_weight)
    shoulders = photo.translation + torch.from_numpy(torso_translation(rig, photo, states))
    given = torch.from_numpy(np.ascontiguousarray(shapes, np.float32))
    return pose(given, states.rotation, states.translation, weight, photo.rotation, shoulders).numpy()


def posed_vertices(rig: Rig, states: Motion, photo: Motion) -> Float:
    """[F, V, 3] vertices in camera space, metres; see `deformed` and `posed`."""
    return posed(rig, deformed(rig, states), states, photo)
