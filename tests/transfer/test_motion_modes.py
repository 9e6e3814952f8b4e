# SPDX-License-Identifier: Apache-2.0
"""Relative and absolute expression and gaze, rest, strengths."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reenact.head import arkit
from reenact.head.arkit import CODE_BOUND
from reenact.media.errors import InputError
from reenact.transfer.motion_modes import (
    GAZE_BOUND,
    STRENGTHS,
    expression_motion,
    gaze_motion,
    gaze_rest_of,
    lower_bounds,
    remap_relative,
    rest_of,
    with_strengths,
)
from reenact.transfer.selection import Strengths

BLINK, SMILE = arkit.index("eyeBlinkLeft"), arkit.index("mouthSmileLeft")
JAW, CLOSE = arkit.index("jawOpen"), arkit.index("mouthClose")
NOT_CLOSE = np.arange(52) != CLOSE
FULL = Strengths.of({}).actions


def everywhere(strength: float) -> np.ndarray:
    return Strengths.of(dict.fromkeys(STRENGTHS, strength)).actions


unit = arrays(np.float64, 52, elements=st.floats(0, 1))
rests = arrays(np.float64, 52, elements=st.floats(0, 0.5))
clips = arrays(np.float64, (7, 52), elements=st.floats(0, CODE_BOUND))
angles = arrays(np.float64, (5, 2, 2), elements=st.floats(-1, 1))
pairs = arrays(np.float64, (2, 2), elements=st.floats(-1, 1))


def performance(frames: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """A clip that smiles, talks and blinks about a known rest, and that rest; frame 0 is a grimace."""
    rng = np.random.default_rng(1)
    rest = rng.uniform(0, 0.2, 52)
    clip = np.tile(rest, (frames, 1))
    act = np.clip(np.sin(np.arange(frames) / 9), 0, None)
    clip[:, SMILE] += 0.7 * act
    clip[:, JAW] += 0.5 * np.roll(act, 15)
    clip[::7, [BLINK, BLINK + 1]] = 1.0
    clip[0] = rng.uniform(0.5, 1, 52)
    return np.clip(clip + 0.01 * rng.normal(size=clip.shape), 0, 1), rest


SEALS = np.isin(arkit.ACTIONS, ["jawOpen", "mouthClose", "tongueOut"])
GAZE = arkit.region_mask("gaze")


@given(rests, unit)
def test_a_full_action_is_full_and_a_seal_seals(rest: np.ndarray, photo: np.ndarray) -> None:
    out = remap_relative(np.stack([np.ones(52), np.zeros(52)]), rest, photo)
    assert (out[0][NOT_CLOSE] >= 1.0 - 1e-12).all()
    np.testing.assert_allclose(out[0][[BLINK, BLINK + 1]], 1.0, atol=1e-12)
    kept = NOT_CLOSE & SEALS & (photo <= 2 * rest)
    np.testing.assert_allclose(out[1][kept], 0.0, atol=1e-12)


@given(rests, unit)
def test_a_resting_performer_leaves_the_photo_as_it_is(rest: np.ndarray, photo: np.ndarray) -> None:
    np.testing.assert_allclose(remap_relative(rest[None], rest, photo)[0], photo, atol=1e-12)


@given(clips, rests)
def test_same_rest_is_the_identity(driver: np.ndarray, rest: np.ndarray) -> None:
    np.testing.assert_allclose(remap_relative(driver, rest, rest), driver, atol=1e-9)


@given(rests, arrays(np.float64, 52, elements=st.floats(0, 0.3)))
def test_what_does_not_seal_moves_as_far_as_the_performer_on_either_side_of_rest(rest, photo) -> None:
    step = np.minimum(0.3, rest)
    up, down = remap_relative(np.stack([rest + 0.2, rest - step]), rest, photo)
    free = ~SEALS & ~GAZE
    free[[BLINK, BLINK + 1]] = False  # lids open less far beyond their neutral
    assert (up - photo >= 0.2 - 1e-9)[free].all()
    np.testing.assert_allclose((photo - down)[free], step[free], atol=1e-9)


@given(rests, unit)
def test_relative_is_monotone_bounded_and_of_limited_slope(rest: np.ndarray, photo: np.ndarray) -> None:
    steps = np.linspace(0, CODE_BOUND, 61)
    out = remap_relative(np.tile(steps[:, None], (1, 52)), rest, photo)
    slope = np.diff(out, axis=0)[:, NOT_CLOSE] / np.diff(steps)[:, None]
    assert slope.min() > -1e-9 and slope.max() < 2 + 1e-9
    assert (out >= lower_bounds()).all() and (out <= arkit.action_bounds()).all()


@given(clips, rests, unit)
def test_lips_are_not_pushed_through_one_another(driver: np.ndarray, rest: np.ndarray, photo: np.ndarray) -> None:
    out = remap_relative(driver, rest, photo)
    lead = np.maximum(driver[:, CLOSE] - driver[:, JAW], photo[CLOSE] - photo[JAW])
    assert (out[:, CLOSE] - out[:, JAW] <= np.maximum(lead, 0) + 1e-12).all()


def test_sealed_lips_stay_sealed_when_the_jaw_is_remapped() -> None:
    driver, rest = np.zeros((1, 52)), np.zeros(52)
    driver[0, [JAW, CLOSE]], rest[JAW] = 0.5, 0.3
    out = remap_relative(driver, rest, np.zeros(52))[0]
    assert out[JAW] == pytest.approx(0.2 / 0.7) and out[CLOSE] == pytest.approx(out[JAW])


@given(clips, rests, unit, st.sampled_from(["relative", "absolute"]))
def test_strength_none_and_full_are_exact(driver, rest, photo, mode) -> None:
    none = everywhere(0.0)
    full = expression_motion(mode, driver, rest, photo)
    np.testing.assert_array_equal(full, remap_relative(driver, rest, photo) if mode == "relative" else driver)
    np.testing.assert_array_equal(with_strengths(full, photo, none), np.tile(photo, (7, 1)))
    np.testing.assert_array_equal(with_strengths(full, photo, FULL), full)


@given(clips, rests, unit, st.floats(0, 3))
def test_any_strength_stays_in_bounds(driver, rest, photo, strength) -> None:
    out = with_strengths(expression_motion("relative", driver, rest, photo), photo, everywhere(strength))
    assert (out >= lower_bounds()).all() and (out <= arkit.action_bounds()).all()


@pytest.mark.parametrize("region", arkit.REGIONS)
def test_a_strength_touches_its_region_and_no_other(region: str) -> None:
    driver, photo = np.full((1, 52), 0.8), np.full(52, 0.2)
    out = with_strengths(driver, photo, Strengths.of({region: 0.5}).actions)[0]
    np.testing.assert_allclose(out, np.where(arkit.region_mask(region), 0.5, 0.8), atol=1e-12)


def test_a_strength_of_an_action_acts_within_its_regions() -> None:
    found = Strengths.of({"mouth": 0.5, "mouthSmile": 3.0, "jawOpen": 0.0, "all": 2.0})
    share = dict(zip(arkit.ACTIONS, found.actions, strict=True))
    assert share["mouthSmileLeft"] == share["mouthSmileRight"] == 3.0
    assert (share["mouthFunnel"], share["jawOpen"], share["browInnerUp"], share["eyeLookInLeft"]) == (
        1.0,
        0.0,
        2.0,
        2.0,
    )
    assert (found.gaze, found.head) == (2.0, 2.0)
    with pytest.raises(InputError, match="follows from the gaze"):
        Strengths.of({"eyeLookInLeft": 1.0})


def test_rest_is_found_despite_a_grimace_in_frame_0_and_blinks() -> None:
    clip, rest = performance()
    np.testing.assert_allclose(rest_of(clip), rest, atol=0.02)


@settings(max_examples=20)
@given(st.permutations(range(200)))
def test_frame_order_does_not_matter(order: list[int]) -> None:
    clip, _ = performance()
    photo = np.linspace(0, 1, 52)
    gaze = np.random.default_rng(2).normal(size=(200, 2, 2))
    np.testing.assert_allclose(rest_of(clip[order]), rest_of(clip), atol=1e-12)
    plain = expression_motion("relative", clip, rest_of(clip), photo)
    mixed = expression_motion("relative", clip[order], rest_of(clip[order]), photo)
    np.testing.assert_allclose(mixed, plain[order], atol=1e-12)
    np.testing.assert_array_equal(gaze_rest_of(gaze[order], clip[order]), gaze_rest_of(gaze, clip))


def test_a_smile_held_through_the_clip_is_not_its_neutral() -> None:
    clip, _ = performance()
    clip[:, SMILE] = 0.9
    rest = rest_of(clip)
    assert rest[SMILE] == 0.35
    assert (remap_relative(clip, rest, np.zeros(52))[:, SMILE] > 0.8).all()


def test_rest_of_the_lids_is_open_for_each_eye_alone() -> None:
    clip = np.full((100, 52), 0.1)
    clip[:60, BLINK] = 1.0  # one eye shut most of the time, and in all the quietest frames
    clip[60:, SMILE] = 0.8
    np.testing.assert_allclose(rest_of(clip)[[BLINK, BLINK + 1]], 0.1, atol=1e-12)


@given(angles, pairs, st.floats(0, 2), st.sampled_from(["relative", "absolute"]))
def test_gaze(driver: np.ndarray, photo: np.ndarray, strength: float, mode) -> None:
    rest = driver[2]
    bound = np.maximum(GAZE_BOUND, np.abs(photo))
    assert (np.abs(gaze_motion(mode, driver, rest, photo, strength)) <= bound).all()
    np.testing.assert_array_equal(gaze_motion(mode, driver, rest, photo, 0.0), np.tile(photo, (5, 1, 1)))
    full = gaze_motion(mode, driver, rest, photo, 1.0)
    wanted = photo + driver - rest if mode == "relative" else driver
    np.testing.assert_allclose(full, np.clip(wanted, -bound, bound), atol=1e-12)


def test_gaze_rest_leaves_closed_eyes_out() -> None:
    clip, gaze = np.zeros((10, 52)), np.full((10, 2, 2), 0.1)
    clip[:7, BLINK], gaze[:7, 0] = 1.0, -0.6
    clip[:, BLINK + 1] = 1.0
    np.testing.assert_allclose(gaze_rest_of(gaze, clip), 0.1)


def test_regions_partition_the_actions() -> None:
    assert len(arkit.ACTIONS) == len(set(arkit.ACTIONS)) == 52
    assert list(arkit.ACTIONS) == sorted(arkit.ACTIONS)
    assert [arkit.index(action) for action in arkit.ACTIONS] == list(range(52))
    assert (np.sum([arkit.region_mask(region) for region in arkit.REGIONS], axis=0) == 1).all()
    sides = [(action, action.replace("Left", "Right")) for action in arkit.ACTIONS]
    assert all(arkit.region_of(left) == arkit.region_of(right) for left, right in sides)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="nose"):
        Strengths.of({"nose": 1.0})
    with pytest.raises(InputError, match="at least 0"):
        Strengths.of({"eyes": -1.0})
    with pytest.raises(ValueError, match="no frame"):
        rest_of(np.zeros((0, 52)))
    with pytest.raises(ValueError, match="finite"):
        rest_of(np.full((3, 52), np.nan))
    with pytest.raises(ValueError, match="reference has shape"):
        remap_relative(np.zeros((1, 52)), np.zeros(52), np.zeros(51))
    with pytest.raises(ValueError, match="gaze"):
        gaze_motion("absolute", np.zeros((3, 2)), np.zeros((2, 2)), np.zeros((2, 2)), 1.0)
