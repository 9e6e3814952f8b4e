# SPDX-License-Identifier: Apache-2.0
"""Neutral-based motion: the driving expression whatever the photo shows, eye contact, and where the head goes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from reenact.head.arkit import ACTIONS, index
from reenact.head.gaze import eye_rotations
from reenact.head.motion import Motion
from reenact.head.subject import Subject
from reenact.pipeline import bundled_motion
from reenact.tracking import load_motion
from reenact.transfer.head_motion import HeadPose, most_alike
from reenact.transfer.retarget import gaze_in_camera, retarget
from tests.transfer.made_subjects import photographed

LEVEL = np.diag([1.0, -1.0, -1.0]).astype(np.float32)
SMILES = [index("mouthSmileLeft"), index("mouthSmileRight")]


def turned(yaw: float, pitch: float = 0.0) -> np.ndarray:
    return (Rotation.from_euler("YX", [yaw, pitch]).as_matrix() @ LEVEL).astype(np.float32)


def photo(smile: float = 0.0, yaw: float = 0.0) -> Subject:
    codes = np.zeros(len(ACTIONS), np.float32)
    codes[SMILES] = smile
    return photographed(Motion(codes, np.zeros((2, 2)), turned(yaw), [0.02, 0.01, 0.7]))


def driving(smile: float, yaws: np.ndarray) -> Motion:
    """A person who holds one expression and turns the head."""
    path = bundled_motion("talking")
    assert path is not None
    track = load_motion(path)[: len(yaws)]
    codes = np.zeros((len(yaws), len(ACTIONS)), np.float32)
    codes[:, SMILES] = smile
    return track.replace(
        expression=codes,
        gaze=np.zeros((len(yaws), 2, 2)),
        rotation=np.stack([turned(y) for y in yaws]),
        translation=np.tile([-0.05, 0.0, 0.9], (len(yaws), 1)),
        dynamic_offset=None,
    )


YAWS = np.linspace(-0.3, 0.3, 41)


@pytest.mark.parametrize("smile", [0.0, 0.8])
def test_the_photos_expression_does_not_show(smile: float) -> None:
    serious = retarget(driving(0.0, YAWS), photo(smile), "neutral", {}).expression[20]
    laughing = retarget(driving(0.9, YAWS), photo(smile), "neutral", {}).expression[20]
    assert serious[SMILES].abs().max() < 0.1
    assert laughing[SMILES].min() > 0.7


def test_relative_motion_keeps_the_photos_smile() -> None:
    kept = retarget(driving(0.0, YAWS), photo(0.8), "relative", {}).expression[20]
    assert kept[SMILES].min() > 0.6


def test_the_head_is_where_the_photo_has_it_when_the_driving_head_is_turned_alike() -> None:
    states = retarget(driving(0.0, YAWS), photo(yaw=0.15), "neutral", {})
    alike = int(np.argmin(np.abs(YAWS - 0.15)))
    away = Rotation.from_matrix(states.rotation[alike].numpy() @ turned(0.15).T).magnitude()
    assert away < 0.02
    end = Rotation.from_matrix(states.rotation[-1].numpy() @ turned(0.3).T).magnitude()
    assert end < 0.02  # no further than the driving head


def test_a_named_neutral_is_what_expression_and_head_are_counted_from() -> None:
    track = driving(0.4, YAWS)
    rest = track[0].replace(rotation=turned(0.2)[None], clip=None)
    states = retarget(track, photo(yaw=-0.1), "neutral", {}, neutral=rest)
    assert states.expression[20, SMILES].abs().max() < 0.1
    alike = int(np.argmin(np.abs(YAWS - 0.2)))
    assert Rotation.from_matrix(states.rotation[alike].numpy() @ turned(-0.1).T).magnitude() < 0.02


@pytest.mark.parametrize("mode", ["neutral", "absolute"])
def test_a_picture_by_the_driving_camera_is_placed_exactly(mode) -> None:
    track = driving(0.3, YAWS)
    states = retarget(track, photo(yaw=0.4), mode, {}, same_camera=True)
    np.testing.assert_allclose(states.rotation, track.rotation, atol=1e-5)
    np.testing.assert_allclose(states.translation, track.translation, atol=1e-6)


angles = st.floats(-0.4, 0.4)


@given(angles, angles, angles, angles, st.floats(-0.2, 0.2))
def test_eyes_that_look_into_the_driving_camera_look_into_the_other(
    yaw: float, pitch: float, other_yaw: float, other_pitch: float, aside: float
) -> None:
    driver = HeadPose(turned(yaw, pitch)[None], np.asarray([[aside, 0.1, 0.8]]))
    target = HeadPose(turned(other_yaw, other_pitch)[None], np.asarray([[-aside, 0.0, 0.6]]))
    to_camera = -driver.R_cam_head[0].T @ driver.t_cam_head[0] / np.linalg.norm(driver.t_cam_head[0])
    look = np.asarray([np.arctan2(to_camera[0], to_camera[2]), np.arcsin(to_camera[1])])
    gaze = gaze_in_camera(np.tile(look, (1, 2, 1)), driver, target)
    direction = target.R_cam_head[0] @ eye_rotations(gaze.astype(np.float32))[0, 0, :, 2]
    np.testing.assert_allclose(direction, -target.t_cam_head[0] / np.linalg.norm(target.t_cam_head[0]), atol=1e-5)


def test_the_reference_pose_does_not_depend_on_the_order_of_frames() -> None:
    track = driving(0.0, YAWS)
    order = np.random.default_rng(0).permutation(len(YAWS))
    wanted = HeadPose(turned(0.1), np.zeros(3))
    one, other = (most_alike(t.rotation.numpy(), t.translation.numpy(), wanted) for t in (track, track[order]))
    np.testing.assert_allclose(one.R_cam_head, other.R_cam_head, atol=1e-9)
    assert Rotation.from_matrix(one.R_cam_head @ turned(0.1).T).magnitude() < 0.02
