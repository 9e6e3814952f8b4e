# SPDX-License-Identifier: Apache-2.0
"""Performances to edit: made up, with a cut in the middle, and the bundled ones."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import numpy as np
from scipy.spatial.transform import Rotation

from reenact.head.arkit import ACTIONS
from reenact.pipeline import bundled_performance
from reenact.tracking import CoarseTrack, load_motion

FACING = np.diag([1.0, -1.0, -1.0])
LOOKS = np.asarray([action.startswith("eyeLook") for action in ACTIONS])


def made_performance(
    frames: int = 40, shots: int = 2, seed: int = 0, fps: Fraction = Fraction(25), *, turn: float = 0.2
) -> CoarseTrack:
    """Noise about a face that looks into the camera; `turn` radians, standard deviation, of the head."""
    rng = np.random.default_rng(seed)
    expression = rng.uniform(0, 1, (frames, 52)).astype(np.float32)
    expression[:, LOOKS] = 0
    shot = (np.arange(frames) * shots // frames).astype(np.int32)
    rotation = Rotation.from_rotvec(turn * rng.normal(size=(frames, 3))).as_matrix() @ FACING
    place = np.asarray([0.0, 0.0, 0.6]) + 0.3 * shot[:, None] * [1, 0, 0] + 0.01 * rng.normal(size=(frames, 3))
    return CoarseTrack(
        fps=fps,
        width=640,
        height=360,
        head="reenact-open-head-1",
        expression=expression,
        gaze=rng.uniform(-0.3, 0.3, (frames, 2, 2)).astype(np.float32),
        R_cam_head=rotation.astype(np.float32),
        t_cam_head=place.astype(np.float32),
        residual_px=rng.random(frames, np.float32),
        seen=rng.random(frames) > 0.2,
        shot=shot,
        frame=np.arange(frames, dtype=np.int32),
        identity=rng.normal(size=(shots, 140)).astype(np.float32),
        focal_px=np.linspace(800, 900, shots, dtype=np.float32),
        face_size_m=np.linspace(0.04, 0.03, shots, dtype=np.float32),
        placement=rng.normal(size=(shots, 478, 3)).astype(np.float32),
        source="made.mp4",
    )


def bundled(name: str) -> CoarseTrack:
    path = bundled_performance(name)
    assert path is not None
    return load_motion(path)


def assert_same(found: CoarseTrack, wanted: CoarseTrack, *, atol: float = 0.0, but: tuple[str, ...] = ()) -> None:
    """Every field but those of `but` is alike."""
    for field in dataclasses.fields(CoarseTrack):
        if field.name in but:
            continue
        a, b = getattr(found, field.name), getattr(wanted, field.name)
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype, field.name
            np.testing.assert_allclose(a, b, rtol=0, atol=atol, err_msg=field.name)
        else:
            assert a == b, field.name


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[F] radians between rotations."""
    return Rotation.from_matrix(np.asarray(a, np.float64) @ np.swapaxes(np.asarray(b, np.float64), -1, -2)).magnitude()
