# SPDX-License-Identifier: Apache-2.0
"""Gaze that meets the camera where the driving gaze does.

What a picture tells of the eyes is their direction in camera space: the iris moves across the eyeball. The angle
relative to the head is that direction less the head's rotation, and inherits every error of the fitted pose. So
neutral-based motion carries the direction in camera space, and eye contact survives a head that is turned otherwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from reenact.head.gaze import eye_rotations

from .head_motion import HeadPose

Float = NDArray[np.floating]


def gaze_in_camera(driver_gaze: Float, driver: HeadPose, target: HeadPose) -> Float:
    """Return gaze [F, 2, 2] (yaw, pitch; radians, relative to the target head) that looks where the driving eyes look.

    Directions are relative to the line from the camera to each head, so that eyes that look into the driving camera
    look into the target's.

    Args:
        driver_gaze: [F, 2, 2] radians relative to the driving head, subject's left eye first.
        driver: driving poses ([F, 3, 3], [F, 3]).
        target: poses ([F, 3, 3], [F, 3]) of the head whose gaze is wanted.
    """
    forward = eye_rotations(np.asarray(driver_gaze, np.float32))[..., 2].astype(np.float64)  # [F, 2, 3] head space
    direction = np.einsum("fij,fej->fei", driver.R_cam_head, forward)
    direction = np.einsum("fij,fej->fei", _between(driver.t_cam_head, target.t_cam_head), direction)
    x, y, z = np.moveaxis(np.einsum("fji,fej->fei", target.R_cam_head, direction), -1, 0)
    return np.stack([np.arctan2(x, z), np.arcsin(np.clip(y, -1.0, 1.0))], axis=-1)


def _between(first: ArrayLike, second: ArrayLike) -> Float:
    """[F, 3, 3] smallest rotations that take the directions of [F, 3] to those of [F, 3]."""
    a, b = (np.asarray(v, np.float64) / np.linalg.norm(v, axis=-1, keepdims=True) for v in (first, second))
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (a * b).sum(axis=-1, keepdims=True))
    return Rotation.from_rotvec(axis / np.maximum(sine, 1e-12) * angle).as_matrix()
