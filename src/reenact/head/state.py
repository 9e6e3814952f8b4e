# SPDX-License-Identifier: Apache-2.0
"""One moment of a head in front of a camera, and where that puts its vertices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .dynamic import carried
from .gaze import with_gaze
from .model import Float
from .rig import Rig

TORSO_SHARE = 0.6
"""How much of the neck's way the shoulders go along with: they lean with the head, but less."""


@dataclass(frozen=True)
class HeadState:
    """X_cam = R_cam_head X_head + t_cam_head (metres; OpenCV camera axes x right, y down, z away)."""

    expression: Float  # [52] in the order of heads.arkit.ACTIONS
    gaze: Float  # [2, 2] (yaw, pitch) radians, subject's left eye first; see head/gaze.py
    R_cam_head: Float  # [3, 3]
    t_cam_head: Float  # [3] metres
    dynamic: Float | None = None  # [478, 3] metres, head space: what landmarks do beyond the actions; None: nothing

    def __post_init__(self) -> None:
        wanted = {"expression": (52,), "gaze": (2, 2), "R_cam_head": (3, 3), "t_cam_head": (3,)}
        if self.dynamic is not None:
            wanted["dynamic"] = (478, 3)
        for name, shape in wanted.items():
            if np.shape(getattr(self, name)) != shape:
                raise ValueError(f"{name} has shape {np.shape(getattr(self, name))}, wanted {shape}")


def torso_translation(rig: Rig, photo: HeadState, state: HeadState) -> Float:
    """[3] metres that the shoulders have moved since the photo; they never turn.

    Measured at the base of the neck, where a mere turn of the head moves little.
    """
    before = photo.R_cam_head @ rig.joints.neck + photo.t_cam_head
    after = state.R_cam_head @ rig.joints.neck + state.t_cam_head
    return (TORSO_SHARE * (after - before)).astype(np.float32)


def codes_of(rig: Rig, states: Sequence[HeadState]) -> Float:
    """[F, 52] expression codes whose eyeLook says where the eyes look."""
    expression, gaze = (np.stack([getattr(s, name) for s in states]) for name in ("expression", "gaze"))
    return with_gaze(expression, gaze, rig.gaze_limits).astype(np.float32)


def deformed(rig: Rig, states: Sequence[HeadState]) -> Float:
    """[F, V, 3] vertices in canonical head space, metres, before any pose. Shut lids and lips meet, see `met`."""
    shapes = rig.deform(np.stack([s.expression for s in states]), np.stack([s.gaze for s in states]))
    given = [i for i, state in enumerate(states) if state.dynamic is not None]
    if given:
        shapes[given] += carried(rig, np.stack([d for d in (s.dynamic for s in states) if d is not None]))
    return met(rig, shapes, states)


def met(rig: Rig, shapes: Float, states: Sequence[HeadState]) -> Float:
    """Shapes [F, V, 3] of some states, their lids and lips made to meet."""
    return rig.met(shapes, np.stack([s.expression for s in states]))


def posed(
    rig: Rig, shapes: Float, states: Sequence[HeadState], photo: HeadState, head_weight: Float | None = None
) -> Float:
    """[F, V, 3] canonical -> [F, V, 3] camera space, metres: the head at its pose, the torso at the photo's.

    head_weight: [V] blends the two over the neck; None: the rig's own, a finer mesh has finer ones.
    """
    weight = (rig.topology.head_weight if head_weight is None else head_weight)[:, None]
    out = []
    for state, shape in zip(states, shapes, strict=True):
        head = shape @ state.R_cam_head.T + state.t_cam_head
        torso = shape @ photo.R_cam_head.T + (photo.t_cam_head + torso_translation(rig, photo, state))
        out.append(weight * head + (1.0 - weight) * torso)
    return np.stack(out).astype(np.float32)


def posed_vertices(rig: Rig, states: Sequence[HeadState], photo: HeadState) -> Float:
    """[F, V, 3] vertices in camera space, metres; see `deformed` and `posed`."""
    return posed(rig, deformed(rig, states), states, photo)
