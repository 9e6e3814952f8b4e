# SPDX-License-Identifier: Apache-2.0
"""Gaze angles and the eyeLook actions that belong to them.

Gaze is (yaw, pitch) in radians per eye, subject's left eye first, relative to the head: yaw > 0 looks to the
subject's left, pitch > 0 looks up.  The eyeballs turn rigidly; the eyeLook actions then only move the lids.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arkit import index
from .model import Float

# Order of `HeadModel.gaze_limits` columns.
_IN, _OUT, _UP, _DOWN = range(4)
LOOK_ACTIONS = tuple(
    tuple(index(f"eyeLook{direction}{side}") for direction in ("In", "Out", "Up", "Down")) for side in ("Left", "Right")
)
LOOK_BOUND = 2.0  # the lids have followed as far as they go


def look_actions(gaze: NDArray[np.floating], limits: Float) -> Float:
    """[F, 2, 2] gaze -> [F, 2, 4] eyeLook In, Out, Up, Down activations of each eye, in [0, LOOK_BOUND]."""
    yaw, pitch = gaze[..., 0], gaze[..., 1]
    outward = yaw * np.asarray([1.0, -1.0], np.float32)  # the left eye looks out when it looks left
    out = np.stack([-outward, outward, pitch, -pitch], axis=-1) / limits
    return np.clip(out, 0.0, LOOK_BOUND).astype(np.float32)


def with_gaze(expression: NDArray[np.floating], gaze: NDArray[np.floating], limits: Float) -> Float:
    """[F, 52] codes with their eyeLook entries replaced by those of `gaze`, which is the one truth about the eyes."""
    out = expression.astype(np.float32, copy=True)
    look = look_actions(gaze, limits)
    for eye, columns in enumerate(LOOK_ACTIONS):
        out[:, list(columns)] = look[:, eye]
    return out


def gaze_of(expression: Float, limits: Float) -> Float:
    """The inverse for activations within [0, LOOK_BOUND]: [F, 52] -> [F, 2, 2] radians."""
    gaze = np.zeros((len(expression), 2, 2), np.float32)
    for eye, columns in enumerate(LOOK_ACTIONS):
        look = expression[:, list(columns)] * limits[eye]
        sign = 1.0 if eye == 0 else -1.0
        gaze[:, eye, 0] = sign * (look[:, _OUT] - look[:, _IN])
        gaze[:, eye, 1] = look[:, _UP] - look[:, _DOWN]
    return gaze


def eye_rotations(gaze: Float) -> Float:
    """[..., 2] (yaw, pitch) -> [..., 3, 3] canonical rotations taking +z (straight ahead) to the line of sight."""
    yaw, pitch = gaze[..., 0], gaze[..., 1]
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    zero = np.zeros_like(cy)
    rows = [[cy, -sy * sp, sy * cp], [zero, cp, sp], [-sy, -cy * sp, cy * cp]]
    return np.stack([np.stack(r, axis=-1) for r in rows], axis=-2).astype(np.float32)
