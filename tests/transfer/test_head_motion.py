# SPDX-License-Identifier: Apache-2.0
"""Head pose carried from one camera to another."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from reenact.transfer.head_motion import (
    HeadPose,
    head_motion,
    head_rest_of,
    rotation_median,
    translation_scale,
)

FACING = np.diag([1.0, -1.0, -1.0])
MODES = ["relative", "absolute"]


def turns(seed: int, count: int, size: float) -> np.ndarray:
    return Rotation.from_rotvec(size * np.random.default_rng(seed).normal(size=(count, 3))).as_matrix()


def clip(seed: int = 0, frames: int = 40) -> HeadPose:
    """A performer who sits a little askew; frame 0 looks away."""
    rng = np.random.default_rng(seed)
    rotation = turns(seed, frames, 0.1) @ Rotation.from_euler("y", 0.3).as_matrix() @ FACING
    rotation[0] = Rotation.from_euler("y", 1.2).as_matrix() @ FACING
    return HeadPose(rotation, [0.1, -0.05, 0.6] + 0.02 * rng.normal(size=(frames, 3)))


PHOTO = HeadPose(Rotation.from_euler("xy", [0.1, -0.4]).as_matrix() @ FACING, np.array([0.0, 0.02, 0.9]))
seeds = st.integers(0, 1000)


def angle(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return Rotation.from_matrix(a @ np.swapaxes(b, -1, -2)).magnitude()


@settings(max_examples=20)
@given(seeds, st.floats(0, 2), st.sampled_from(MODES))
def test_rotations_come_out_orthonormal(seed: int, strength: float, mode) -> None:
    driver = clip(seed)
    single = HeadPose(driver.R_cam_head.astype(np.float32), driver.t_cam_head.astype(np.float32))
    out = head_motion(mode, single, head_rest_of(*single), PHOTO, scale=0.8, strength=strength)
    product = out.R_cam_head @ out.R_cam_head.transpose(0, 2, 1)
    np.testing.assert_allclose(product, np.tile(np.eye(3), (40, 1, 1)), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(out.R_cam_head), 1, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_strength_none_holds_the_photo_and_full_is_the_definition(mode) -> None:
    driver = clip()
    rest = head_rest_of(*driver)
    none = head_motion(mode, driver, rest, PHOTO, scale=0.8, strength=0.0)
    np.testing.assert_allclose(none.R_cam_head, np.tile(PHOTO.R_cam_head, (40, 1, 1)), atol=1e-14)
    np.testing.assert_array_equal(none.t_cam_head, np.tile(PHOTO.t_cam_head, (40, 1)))
    full = head_motion(mode, driver, rest, PHOTO, scale=0.8, strength=1.0)
    wanted = driver.R_cam_head
    if mode == "relative":
        wanted = driver.R_cam_head @ rest.R_cam_head.T @ PHOTO.R_cam_head
    np.testing.assert_allclose(full.R_cam_head, wanted, atol=1e-12)
    moved = 0.8 * (driver.t_cam_head - rest.t_cam_head)
    np.testing.assert_allclose(full.t_cam_head - PHOTO.t_cam_head, moved, atol=1e-12)


@given(seeds, st.floats(0, 1.5))
@settings(max_examples=20)
def test_strength_scales_the_turn_along_the_geodesic(seed: int, strength: float) -> None:
    driver = clip(seed)
    rest = head_rest_of(*driver)
    full = head_motion("relative", driver, rest, PHOTO, scale=1.0, strength=1.0)
    part = head_motion("relative", driver, rest, PHOTO, scale=1.0, strength=strength)
    whole = angle(full.R_cam_head, PHOTO.R_cam_head)
    np.testing.assert_allclose(angle(part.R_cam_head, PHOTO.R_cam_head), strength * whole, atol=1e-7)


def test_resting_performer_holds_the_photo_in_relative_mode() -> None:
    rest = head_rest_of(*clip())
    still = HeadPose(rest.R_cam_head[None], rest.t_cam_head[None])
    out = head_motion("relative", still, rest, PHOTO, scale=0.8, strength=1.0)
    np.testing.assert_allclose(out.R_cam_head[0], PHOTO.R_cam_head, atol=1e-12)
    np.testing.assert_allclose(out.t_cam_head[0], PHOTO.t_cam_head, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
def test_where_the_performer_sits_in_the_picture_does_not_matter(mode) -> None:
    driver = clip()
    moved = HeadPose(driver.R_cam_head, driver.t_cam_head + np.array([0.3, -0.2, 1.0]))
    plain = head_motion(mode, driver, head_rest_of(*driver), PHOTO, scale=0.8, strength=1.0)
    other = head_motion(mode, moved, head_rest_of(*moved), PHOTO, scale=0.8, strength=1.0)
    np.testing.assert_allclose(other.R_cam_head, plain.R_cam_head, atol=1e-12)
    np.testing.assert_allclose(other.t_cam_head, plain.t_cam_head, atol=1e-12)


@settings(max_examples=20)
@given(st.permutations(range(40)))
def test_frame_order_does_not_matter(order: list[int]) -> None:
    driver = clip()
    mixed = HeadPose(driver.R_cam_head[order], driver.t_cam_head[order])
    plain = head_motion("relative", driver, head_rest_of(*driver), PHOTO, scale=0.8, strength=1.0)
    other = head_motion("relative", mixed, head_rest_of(*mixed), PHOTO, scale=0.8, strength=1.0)
    np.testing.assert_allclose(other.R_cam_head, plain.R_cam_head[order], atol=1e-9)
    np.testing.assert_allclose(other.t_cam_head, plain.t_cam_head[order], atol=1e-9)


def test_rest_is_near_the_usual_pose_and_not_frame_0() -> None:
    driver = clip(frames=200)
    usual = Rotation.from_euler("y", 0.3).as_matrix() @ FACING
    rest = head_rest_of(*driver)
    assert angle(rest.R_cam_head, usual) < 0.12
    assert angle(driver.R_cam_head[0], usual) > 0.8


def test_median_ignores_outliers_that_sway_the_mean() -> None:
    inliers, outliers = turns(0, 60, 0.02), turns(1, 40, 0.02) @ Rotation.from_euler("y", 1.5).as_matrix()
    median = rotation_median(np.concatenate([inliers, outliers]))
    assert angle(median, np.eye(3)) < 0.03


@given(seeds)
@settings(max_examples=20)
def test_median_turns_with_its_rotations(seed: int) -> None:
    stack, turn = turns(seed, 9, 0.4), turns(seed + 1, 1, 1.0)[0]
    np.testing.assert_allclose(rotation_median(turn @ stack), turn @ rotation_median(stack), atol=1e-7)


def test_scale_makes_the_motion_equal_in_face_sizes_whatever_the_cameras() -> None:
    size_d, size_p, focal_d, focal_p = 0.12, 0.09, 700.0, 2400.0
    rest, photo = HeadPose(FACING, np.array([0.0, 0, 0.5])), HeadPose(FACING, np.array([0.0, 0, 2.0]))
    driver = HeadPose(FACING[None], np.array([[0.03, -0.02, 0.5]]))
    scale = translation_scale(size_d, size_p)
    out = head_motion("relative", driver, rest, photo, scale=scale, strength=1.0)

    def in_face_sizes(t: np.ndarray, focal: float, size: float) -> np.ndarray:
        return (focal * t[:2] / t[2]) / (focal * size / t[2])

    np.testing.assert_allclose(
        in_face_sizes(out.t_cam_head[0], focal_p, size_p),
        in_face_sizes(driver.t_cam_head[0], focal_d, size_d),
    )
    np.testing.assert_allclose(
        out.t_cam_head[0] / size_p - [0, 0, 2 / size_p],
        driver.t_cam_head[0] / size_d - [0, 0, 0.5 / size_d],
        atol=1e-12,
    )


def test_no_head_passes_through_the_camera() -> None:
    rest, driver = HeadPose(FACING, np.array([0, 0, 2.0])), HeadPose(FACING[None], np.array([[0, 0, 0.4]]))
    out = head_motion("absolute", driver, rest, PHOTO, scale=1.0, strength=1.0)
    assert out.t_cam_head[0, 2] == pytest.approx(0.25 * PHOTO.t_cam_head[2])


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="orthonormal"):
        rotation_median(np.ones((2, 3, 3)))
    with pytest.raises(ValueError, match="N > 0"):
        head_rest_of(np.zeros((0, 3, 3)), np.zeros((0, 3)))
    with pytest.raises(ValueError, match="t_cam_head"):
        head_rest_of(np.eye(3)[None], np.zeros((2, 3)))
    with pytest.raises(ValueError, match="positive"):
        translation_scale(0.0, 0.1)
