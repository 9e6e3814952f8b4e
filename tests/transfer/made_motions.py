# SPDX-License-Identifier: Apache-2.0
"""Performances to edit: made up, with a cut in the middle, and the bundled ones."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.spatial.transform import Rotation

from reenact.head.motion import Motion
from reenact.pipeline import bundled_motion
from reenact.tracking import load_motion
from tests.made_motions import LOOKS, made_clip

FACING = np.diag([1.0, -1.0, -1.0])


def made_motion(
    frames: int = 40, shots: int = 2, seed: int = 0, fps: Fraction = Fraction(25), *, turn: float = 0.2
) -> Motion:
    """Noise about a face that looks into the camera; `turn` radians, standard deviation, of the head."""
    rng = np.random.default_rng(seed)
    expression = rng.uniform(0, 1, (frames, 52)).astype(np.float32)
    expression[:, LOOKS] = 0
    shot = (np.arange(frames) * shots // frames).astype(np.int32)
    rotation = Rotation.from_rotvec(turn * rng.normal(size=(frames, 3))).as_matrix() @ FACING
    place = np.asarray([0.0, 0.0, 0.6]) + 0.3 * shot[:, None] * [1, 0, 0] + 0.01 * rng.normal(size=(frames, 3))
    return Motion(
        expression,
        rng.uniform(-0.3, 0.3, (frames, 2, 2)),
        rotation,
        place,
        fps=fps,
        clip=made_clip(shot, rng),
    )


def bundled(name: str) -> Motion:
    path = bundled_motion(name)
    assert path is not None
    return load_motion(path)


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[F] radians between rotations."""
    return Rotation.from_matrix(np.asarray(a, np.float64) @ np.swapaxes(np.asarray(b, np.float64), -1, -2)).magnitude()
