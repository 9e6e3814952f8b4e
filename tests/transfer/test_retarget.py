# SPDX-License-Identifier: Apache-2.0
"""A track on a photo: from any frame, in the photo's own camera, shot by shot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reenact.heads.arkit import action_bounds, index, region_mask
from reenact.heads.open import open_head
from reenact.heads.personal import personal_rig
from reenact.heads.state import HeadState
from reenact.media import InputError
from reenact.pipeline import bundled_performance
from reenact.tracking import CoarseTrack, load_motion
from reenact.transfer.amplitude import gains, shown
from reenact.transfer.retarget import Receiver, retarget

AHEAD = np.diag([1.0, -1.0, -1.0]).astype(np.float32)
HEAD = open_head()
RIG = personal_rig(HEAD, np.zeros(HEAD.identity_size, np.float32))
PHOTO = HeadState(
    np.where(np.arange(52) == index("mouthSmileLeft"), 0.3, 0).astype(np.float32),
    np.zeros((2, 2), np.float32),
    AHEAD,
    np.asarray([0.01, 0.02, 0.7], np.float32),
)


def performance(name: str) -> CoarseTrack:
    path = bundled_performance(name)
    assert isinstance(path, Path)
    return load_motion(path)


def codes(states: list[HeadState]) -> np.ndarray:
    return np.stack([s.expression for s in states])


def test_frames_may_come_in_any_order() -> None:
    track = performance("winks")
    order = np.random.default_rng(0).permutation(len(track))
    shuffled = replace(
        track,
        **{n: getattr(track, n)[order] for n in ("expression", "gaze", "R_cam_head", "t_cam_head", "residual_px")},
    )
    straight, mixed = (retarget(HEAD, t, Receiver(RIG, PHOTO, 0.037), "relative", {}) for t in (track, shuffled))
    np.testing.assert_allclose(codes(mixed), codes(straight)[order], atol=1e-6)
    np.testing.assert_allclose(mixed[0].t_cam_head, straight[order[0]].t_cam_head, atol=1e-6)


def test_a_wink_stays_one_eye() -> None:
    out = codes(retarget(HEAD, performance("winks"), Receiver(RIG, PHOTO, 0.037), "relative", {}))
    left, right = out[:, index("eyeBlinkLeft")], out[:, index("eyeBlinkRight")]
    assert (left - right).max() > 0.3 and (right - left).max() > 0.3


@pytest.mark.parametrize("mode", ["relative", "absolute"])
def test_strength_zero_is_the_photo(mode) -> None:
    still: dict[str, float] = dict.fromkeys(("eyes", "brows", "mouth", "jaw", "gaze", "head"), 0.0)
    for state in retarget(HEAD, performance("surprise"), Receiver(RIG, PHOTO, 0.037), mode, still)[::20]:
        np.testing.assert_allclose(state.expression, PHOTO.expression, atol=1e-6)
        np.testing.assert_allclose(state.R_cam_head, AHEAD, atol=1e-6)
        np.testing.assert_allclose(state.t_cam_head, PHOTO.t_cam_head, atol=1e-6)


def test_absolute_takes_the_performers_own_codes_as_large_as_they_show() -> None:
    track = performance("pout")
    out = codes(retarget(HEAD, track, Receiver(RIG, PHOTO, 0.037), "absolute", {}))
    gain = gains(personal_rig(HEAD, track.identity[0]), RIG)
    free = ~region_mask("gaze")
    wanted = np.minimum(gain * track.expression, np.maximum(gain, 1) * action_bounds())
    np.testing.assert_allclose(out[:, free], wanted[:, free], atol=1e-5)


def test_gains_make_an_action_show_alike_on_two_people() -> None:
    rng = np.random.default_rng(0)
    one, two = (personal_rig(HEAD, rng.normal(size=HEAD.identity_size).astype(np.float32)) for _ in range(2))
    gain = gains(one, two)
    np.testing.assert_allclose(gains(one, one), 1.0)
    inside = (gain > 0.76) & (gain < 1.59) & ~region_mask("gaze") & ~region_mask("eyes")
    assert inside.sum() > 20
    np.testing.assert_allclose((gain * shown(two))[inside], shown(one)[inside], rtol=1e-4)


def test_a_small_head_moves_in_proportion() -> None:
    track = performance("looking-around")
    large, small = (retarget(HEAD, track, Receiver(RIG, PHOTO, size), "relative", {}) for size in (0.04, 0.02))
    move = [np.stack([s.t_cam_head for s in states]) - PHOTO.t_cam_head for states in (large, small)]
    np.testing.assert_allclose(move[1], move[0] / 2, atol=1e-5)


def test_shots_rest_by_themselves() -> None:
    """The same performer in another shot, placed elsewhere, must not make the receiver jump."""
    track = performance("talking")
    second = np.arange(len(track)) >= 120
    moved = replace(
        track,
        shot=second.astype(np.int32),
        t_cam_head=track.t_cam_head + np.where(second[:, None], [0.3, 0.1, 0.5], 0).astype(np.float32),
        identity=np.repeat(track.identity, 2, axis=0),
        focal_px=np.repeat(track.focal_px, 2),
        face_size_m=np.repeat(track.face_size_m, 2),
    )
    states = retarget(HEAD, moved, Receiver(RIG, PHOTO, 0.037), "relative", {})
    place = np.stack([s.t_cam_head for s in states])
    assert np.linalg.norm(place[second].mean(axis=0) - place[~second].mean(axis=0)) < 0.05


def test_a_track_of_another_head_is_refused() -> None:
    track = replace(performance("smile"), head="somebody-elses-head")
    with pytest.raises(InputError, match="somebody-elses-head; want reenact-open-head-1"):
        retarget(HEAD, track, Receiver(RIG, PHOTO, 0.037), "relative", {})


def test_unknown_regions_are_refused() -> None:
    with pytest.raises(InputError, match="nostrils"):
        retarget(HEAD, performance("smile"), Receiver(RIG, PHOTO, 0.037), "relative", {"nostrils": 1.0})
