# SPDX-License-Identifier: Apache-2.0
"""The independent detector: its measures ignore the camera's roll, zoom and place, and follow what moved."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reenact.media.files import asset
from reenact.media.image import read_image

pytest.importorskip("dlib", reason="needs the evaluation extra")

from reenact.lab.evaluation.landmarks68 import MEASURES, Landmarks68, agreement, face_box, measure

DEMO = asset("demo/astronaut.jpg")


def some_faces(frames: int = 5) -> np.ndarray:
    """Points [F, 68, 2] without any two alike, eyes apart."""
    points = np.random.default_rng(0).normal(size=(frames, 68, 2))
    points[:, 36:42, 0] -= 5
    points[:, 42:48, 0] += 5
    return points


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return read_image(DEMO)


@given(st.floats(-3, 3), st.floats(0.1, 10), st.floats(-500, 500), st.floats(-500, 500))
def test_measures_do_not_change_with_roll_zoom_and_place(turn: float, zoom: float, x: float, y: float) -> None:
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    before, after = measure(some_faces()), measure(zoom * some_faces() @ rotation.T + (x, y))
    for name in MEASURES:
        np.testing.assert_allclose(after[name], before[name], rtol=1e-6, atol=1e-9)


def test_each_measure_follows_its_own_points_and_no_others() -> None:
    still = some_faces(1)
    moves = {"mouth": (65, 66, 67), "width": (48,), "brow": range(17, 27), "eye_right": (40, 41), "eye_left": (46, 47)}
    for moved, points in moves.items():
        changed = still.copy()
        # shut halfway, and lift the brows: eyes keep their centre, so that only one measure may move
        if moved == "mouth":
            changed[:, 61:64] = (still[:, 61:64] + still[:, 67:64:-1]) / 2
            changed[:, 67:64:-1] = changed[:, 61:64]
        elif moved == "brow":
            changed[:, list(points), 1] -= 1
        elif moved == "width":
            changed[:, 48] = (3 * still[:, 48] + still[:, 54]) / 4
        else:
            start = 36 if moved == "eye_right" else 42
            changed[:, start + 1 : start + 3], changed[:, start + 5 : start + 3 : -1] = (
                (0.75 * still[:, start + 1 : start + 3] + 0.25 * still[:, start + 5 : start + 3 : -1]),
                (0.25 * still[:, start + 1 : start + 3] + 0.75 * still[:, start + 5 : start + 3 : -1]),
            )
        before, after = measure(still), measure(changed)
        different = {name for name in MEASURES if abs(after[name] - before[name])[0] > 1e-12}
        assert different == {moved, *(["eyes"] if moved.startswith("eye") else [])}
        assert (after[moved] > before[moved]) == (moved == "brow")


def test_shut_mouth_measures_zero_and_half_shut_eyes_half() -> None:
    points = some_faces(1)
    points[:, 65:68] = points[:, 63:60:-1]
    assert measure(points)["mouth"] == 0


@given(st.floats(0.01, 100), st.floats(-10, 10))
def test_agreement_of_a_scaled_copy_is_one_and_the_scale(scale: float, offset: float) -> None:
    series = np.sin(np.arange(50.0))
    correlation, amplitude = agreement(series, scale * series + offset)
    assert correlation == pytest.approx(1)
    assert amplitude == pytest.approx(scale)


def test_agreement_leaves_out_unknown_frames_and_has_none_of_a_frozen_driver() -> None:
    series = np.sin(np.arange(50.0))
    holes = series.copy()
    holes[::7] = np.nan
    assert agreement(holes, series) == pytest.approx((1, 1))
    assert np.isnan(agreement(np.zeros(50), series)).all()
    correlation, amplitude = agreement(series, np.ones(50))
    assert np.isnan(correlation)
    assert amplitude == 0


def test_landmarks_follow_a_face_that_moves_and_turns(portrait: np.ndarray) -> None:
    size = portrait.shape[0]
    moves = [cv2.getRotationMatrix2D((256 + 40 * k, 128), 2.0 * k, 1 + 0.02 * k) for k in range(6)]
    frames = [cv2.warpAffine(portrait, move, (size, size)) for move in moves]
    points = Landmarks68().follow(frames)
    ocular = np.linalg.norm(points[0, 36:42].mean(0) - points[0, 42:48].mean(0))
    for move, found in zip(moves, points, strict=True):
        expected = points[0] @ move[:, :2].T + move[:, 2]
        assert np.linalg.norm(found - expected, axis=-1).mean() < 0.06 * ocular


def test_frames_without_a_face_are_unknown_and_the_face_is_found_again(portrait: np.ndarray) -> None:
    nothing = np.full_like(portrait, 90)
    points = Landmarks68().follow([nothing, portrait, portrait])
    assert np.isnan(points[0]).all()
    ocular = np.linalg.norm(points[1, 36:42].mean(0) - points[1, 42:48].mean(0))
    assert np.linalg.norm(points[1] - points[2], axis=-1).max() < 0.02 * ocular
    assert face_box(points[1])[2] == pytest.approx(105, rel=0.2)
