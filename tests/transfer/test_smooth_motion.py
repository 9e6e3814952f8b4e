# SPDX-License-Identifier: Apache-2.0
"""Smoothing: nothing lags where nothing may, and where it must it lags by what is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from reenact.head.motion import Motion
from reenact.transfer.smoothing import smooth, smooth_causal
from tests.made_motions import assert_same, with_clip
from tests.transfer.made_motions import FACING, angles, bundled, made_motion

MOTION = ("expression", "gaze", "rotation", "translation")


def flat(value: float, frames: int = 40, shots: int = 1) -> Motion:
    track = made_motion(frames, shots)
    turn = Rotation.from_euler("y", 0.3).as_matrix() @ FACING
    return track.replace(
        expression=np.full((frames, 52), value),
        gaze=np.full((frames, 2, 2), value / 5),
        rotation=np.tile(turn, (frames, 1, 1)),
        translation=np.full((frames, 3), value),
    )


def course(values: np.ndarray, turn: np.ndarray | None = None) -> Motion:
    """Every action takes values [F], and the head rotations [F, 3, 3]."""
    track = flat(0.0, len(values)).replace(expression=np.repeat(values[:, None], 52, axis=1))
    return track if turn is None else track.replace(rotation=turn)


@given(st.floats(0, 1), st.floats(0.01, 3))
@settings(max_examples=20, deadline=None)
def test_smoothing_keeps_constants(value: float, seconds: float) -> None:
    track = flat(value)
    assert_same(smooth(track, seconds), track, atol=1e-6)
    assert_same(smooth_causal(track, seconds), track, atol=1e-6)


@given(st.floats(0.02, 0.5), st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_a_symmetric_bump_is_not_shifted(seconds: float, width: int) -> None:
    """Nor one of the head's turn; both get lower and wider."""
    bump = np.exp(-0.5 * ((np.arange(81) - 40) / width) ** 2)
    turn = Rotation.from_rotvec(0.5 * bump[:, None] * [0.3, 0.9, -0.3]).as_matrix() @ FACING
    out = smooth(course(bump, turn), seconds)
    codes, away = out.expression.numpy(), angles(out.rotation.numpy(), FACING)
    np.testing.assert_allclose(codes, codes[::-1], atol=1e-6)
    np.testing.assert_allclose(away, away[::-1], atol=1e-6)
    assert codes[:, 0].argmax() == 40
    assert codes[40, 0] < 1 and away[40] < angles(turn, FACING)[40]


def test_a_small_turn_is_smoothed_as_a_number_is_at_the_ends_too() -> None:
    ramp = np.linspace(0, 0.1, 40)
    turn = Rotation.from_rotvec(ramp[:, None] * [1.0, 0.0, 0.0]).as_matrix() @ FACING
    out = smooth(course(ramp, turn), 0.5)
    assert out.expression[0, 0] > 0.005
    np.testing.assert_allclose(angles(out.rotation.numpy(), FACING), out.expression[:, 0], atol=2e-5)


def test_a_bump_of_the_width_of_the_window_keeps_seven_tenths_of_its_height() -> None:
    """Widths of Gaussians add in squares: the promised width of the window is checked by what it leaves."""
    sigma = 0.4 * 25 / 2.3548
    track = course(np.exp(-0.5 * ((np.arange(201) - 100) / sigma) ** 2))
    assert smooth(track, 0.4).expression[100, 0] == pytest.approx(1 / np.sqrt(2), abs=2e-3)


@pytest.mark.parametrize("smoothing", [smooth, smooth_causal])
def test_nothing_is_smoothed_across_a_cut(smoothing) -> None:
    track = flat(0.0, 40, 2)
    then = flat(1.0, 20)
    track = Motion.joined([track[:20], then.replace(rotation=np.tile(FACING, (20, 1, 1)))]).replace(clip=track.clip)
    assert_same(smoothing(track, 0.5), track, atol=1e-6)
    one = with_clip(track, shot=np.zeros(40, np.int32))
    assert (smoothing(one, 0.5).expression - track.expression).abs().max() > 0.3


@pytest.mark.parametrize("smoothing", [smooth, smooth_causal])
def test_smoothing_calms_a_real_performance_and_leaves_rotations(smoothing) -> None:
    track = bundled("talking")
    out = smoothing(track, 0.15)
    for name in ("expression", "rotation", "translation"):
        before, after = (np.abs(np.diff(getattr(t, name), n=2, axis=0)).mean() for t in (track, out))
        assert after < 0.6 * before, name
    eye = np.broadcast_to(np.eye(3), out.rotation.shape)
    np.testing.assert_allclose(out.rotation @ out.rotation.mT, eye, atol=1e-5)
    np.testing.assert_allclose(out.rotation.det(), 1, atol=1e-5)
    assert_same(out, track, but=MOTION)
    assert_same(smoothing(track, 0.0), track)


def test_causal_smoothing_looks_only_at_the_past() -> None:
    track = made_motion(40, 1)
    other = made_motion(40, 1, seed=1)
    joined = Motion.joined([track[:25], other[25:]]).replace(clip=track.clip)
    a, b = smooth_causal(track, 0.3), smooth_causal(joined, 0.3)
    for name in MOTION:
        np.testing.assert_array_equal(getattr(a, name)[:25], getattr(b, name)[:25])
    assert (a.expression[25:] - b.expression[25:]).abs().max() > 0.01


@pytest.mark.parametrize("seconds", [0.1, 0.4])
def test_causal_smoothing_lags_by_what_it_says(seconds: float) -> None:
    ramp = np.arange(200) / 400
    track = course(ramp, Rotation.from_rotvec(ramp[:, None] * [0.0, 1.0, 0.0]).as_matrix() @ FACING)
    out = smooth_causal(track, seconds)
    lag = 1 / (25 * (np.exp(1 / (25 * seconds)) - 1))
    assert lag == pytest.approx(seconds, abs=0.6 / 25)
    late_codes = (ramp - out.expression[:, 0].numpy())[-50:] * 400 / 25
    late_head = angles(out.rotation.numpy(), track.rotation.numpy())[-50:] * 400 / 25
    np.testing.assert_allclose(late_codes, lag, atol=2e-3)
    np.testing.assert_allclose(late_head, lag, atol=2e-3)
