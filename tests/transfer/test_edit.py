# SPDX-License-Identifier: Apache-2.0
"""Edits of a performance do what they say, to what they name, and to nothing else."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reenact.head.arkit import ACTIONS, REGIONS, action_bounds, index, region_mask
from reenact.media import InputError
from reenact.transfer.edit import clamp, cut, mirror, offset, scale, shots
from reenact.transfer.head_motion import head_rest_of
from reenact.transfer.mixing import mix
from reenact.transfer.motion_modes import STRENGTHS, gaze_rest_of
from reenact.transfer.selection import selected
from reenact.transfer.smoothing import smooth, smooth_causal
from reenact.transfer.timing import retime, sampled
from tests.transfer.made_performances import LOOKS, angles, assert_same, bundled, made_performance

MOTION = ("expression", "gaze", "R_cam_head", "t_cam_head")


def named(name: str) -> list[str]:
    return [action for action, chosen in zip(ACTIONS, selected(name).actions, strict=True) if chosen]


# What a name means


def test_names_mean_one_action_both_sides_a_region_or_everything() -> None:
    assert named("jawOpen") == ["jawOpen"]
    assert named("mouthSmile") == ["mouthSmileLeft", "mouthSmileRight"]
    assert named("mouthSmileLeft") == ["mouthSmileLeft"]
    assert set(named("mouth")) > {"mouthLeft", "mouthSmileLeft", "tongueOut"}
    assert named("gaze") == named("head") == []
    assert selected("gaze").gaze and selected("head").head and not selected("mouth").gaze
    assert selected("all").gaze and selected("all").head and len(named("all")) == 44
    assert all(set(named(region)) <= set(named("all")) for region in STRENGTHS)


@pytest.mark.parametrize("name", ["nose", "", "JawOpen", "mouthSmil", "Left"])
def test_an_unknown_name_is_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match=f"nothing called {name} .*mouthSmile"):
        selected(name)


@pytest.mark.parametrize("name", ["eyeLookUp", "eyeLookInLeft"])
def test_looks_are_edited_as_gaze(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} follows from the gaze"):
        selected(name)


# Scale, offset, clamp


@pytest.mark.parametrize("region", [r for r in REGIONS if r != "gaze"])
def test_scale_multiplies_one_region_and_touches_no_other(region: str) -> None:
    track = bundled("talking")
    out = scale(track, region, 0.5)
    mask = region_mask(region)
    np.testing.assert_allclose(out.expression[:, mask], 0.5 * track.expression[:, mask], atol=1e-6)
    np.testing.assert_array_equal(out.expression[:, ~mask], track.expression[:, ~mask])
    assert_same(out, track, but=("expression",))


def test_scaled_actions_stay_within_what_the_format_allows() -> None:
    out = scale(bundled("surprise"), "all", 30.0)
    assert (out.expression <= action_bounds()).all() and (out.expression.max(axis=0) == action_bounds()).sum() > 20


def test_scale_by_one_is_the_same_track_and_by_nought_is_still() -> None:
    track = made_performance()
    assert_same(scale(track, "all", 1.0), track)
    still = scale(track, "all", 0.0)
    assert not still.expression.any()
    for rows in shots(track):
        rest = head_rest_of(track.R_cam_head[rows], track.t_cam_head[rows])
        eyes = gaze_rest_of(track.gaze[rows], track.expression[rows])
        np.testing.assert_allclose(still.R_cam_head[rows], np.broadcast_to(rest.R_cam_head, (20, 3, 3)), atol=1e-6)
        np.testing.assert_allclose(still.t_cam_head[rows], np.broadcast_to(rest.t_cam_head, (20, 3)), atol=1e-6)
        np.testing.assert_allclose(still.gaze[rows], np.broadcast_to(eyes, (20, 2, 2)), atol=1e-6)


@given(st.floats(0, 1.5))
@settings(max_examples=15, deadline=None)
def test_head_is_scaled_about_its_rest_in_each_shot(factor: float) -> None:
    track = made_performance(turn=0.1)
    out = scale(track, "head", factor)
    for rows in shots(track):
        rest = head_rest_of(track.R_cam_head[rows], track.t_cam_head[rows])
        away = angles(track.R_cam_head[rows], rest.R_cam_head)
        np.testing.assert_allclose(angles(out.R_cam_head[rows], rest.R_cam_head), factor * away, atol=2e-6)
        moved = factor * (track.t_cam_head[rows] - rest.t_cam_head)
        np.testing.assert_allclose(out.t_cam_head[rows] - rest.t_cam_head, moved, atol=1e-6)
    assert_same(out, track, but=("R_cam_head", "t_cam_head"))


def test_offset_shifts_its_actions_within_bounds() -> None:
    track = made_performance()
    out = offset(track, "mouthSmile", -0.4)
    both = [index("mouthSmileLeft"), index("mouthSmileRight")]
    np.testing.assert_allclose(out.expression[:, both], np.maximum(track.expression[:, both] - 0.4, 0), atol=1e-6)
    others = np.delete(np.arange(52), both)
    np.testing.assert_array_equal(out.expression[:, others], track.expression[:, others])
    assert_same(offset(offset(track, "jawOpen", 0.25), "jawOpen", -0.25), track, atol=1e-6)


def test_clamp_holds_its_actions_between_two_values() -> None:
    track = made_performance()
    out = clamp(track, "brows", 0.3, 0.6)
    np.testing.assert_array_equal(
        out.expression,
        np.where(region_mask("brows"), np.clip(track.expression, 0.3, 0.6), track.expression).astype("f"),
    )
    assert_same(clamp(clamp(track, "all", 0.2, 0.7), "all", 0.2, 0.7), clamp(track, "all", 0.2, 0.7))
    assert not clamp(track, "all", 0.2, 0.7).expression[:, LOOKS].any()


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda t: scale(t, "mouth", -1.0), "mouth cannot be scaled by -1"),
        (lambda t: scale(t, "mouth", float("nan")), "mouth cannot be scaled by nan"),
        (lambda t: offset(t, "head", 0.1), "head is no activation and cannot be shifted"),
        (lambda t: offset(t, "jawOpen", float("inf")), "jawOpen cannot be shifted by inf"),
        (lambda t: clamp(t, "gaze", 0.0, 1.0), "gaze is no activation and cannot be clamped"),
        (lambda t: clamp(t, "all", 0.5, 0.1), "all cannot be clamped to 0.5:0.1"),
        (lambda t: cut(t, 5, 5), "made.mp4 has 40 frames and cannot be cut to 5:5"),
        (lambda t: cut(t, 0, 41), "cannot be cut to 0:41"),
        (lambda t: smooth(t, -0.1), "smoothing over -0.1 seconds"),
        (lambda t: smooth_causal(t, float("nan")), "smoothing over nan seconds"),
        (lambda t: retime(t, speed=0.0), "a speed of 0x"),
        (lambda t: retime(t, fps=Fraction(500)), "500 frames per second were asked for"),
        (lambda t: retime(t, frames=1), "in 1 frames was asked for; want 2"),
        (lambda t: mix(t, t, ["nose"]), "no region nose to mix in"),
        (lambda t: mix(t, t, []), "no region to mix in was given"),
        (lambda t: mix(t, replace(t, head="other"), ["mouth"]), "head reenact-open-head-1 and made.mp4 with other"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(edit, said: str) -> None:
    with pytest.raises(InputError, match=said):
        edit(made_performance())


# Mirror and cut


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_mirrored_twice_is_the_same_track(seed: int) -> None:
    track = made_performance(seed=seed)
    assert_same(mirror(mirror(track)), track)
    assert (mirror(track).expression != track.expression).any()


def test_a_mirrored_head_is_seen_on_the_other_side_of_the_picture() -> None:
    """A point of the head, and its counterpart on the mirrored head, lie mirrored in the picture."""
    track = bundled("looking-around")
    out = mirror(track)
    np.testing.assert_allclose(np.linalg.det(out.R_cam_head), 1, atol=1e-5)
    point = np.asarray([0.05, -0.03, 0.08])
    seen = track.R_cam_head @ point + track.t_cam_head
    other = out.R_cam_head @ (point * [-1, 1, 1]) + out.t_cam_head
    np.testing.assert_allclose(other, seen * [-1, 1, 1], atol=1e-6)
    assert np.ptp(seen[:, 0]) > 0.005


def test_mirror_swaps_sides_of_actions_and_eyes() -> None:
    track = made_performance()
    out = mirror(track)
    for here, there in (("jawLeft", "jawRight"), ("eyeBlinkRight", "eyeBlinkLeft"), ("jawOpen", "jawOpen")):
        np.testing.assert_array_equal(out.expression[:, index(here)], track.expression[:, index(there)])
    np.testing.assert_array_equal(out.gaze[:, 0], track.gaze[:, 1] * np.asarray([-1, 1], np.float32))


def test_cut_keeps_frames_and_drops_shots_of_which_nothing_is_left() -> None:
    track = made_performance(frames=40, shots=4)
    out = cut(track, 12, 25)
    assert out.frame.tolist() == list(range(12, 25)) and out.shot.tolist() == [0] * 8 + [1] * 5
    np.testing.assert_array_equal(out.identity, track.identity[1:3])
    np.testing.assert_array_equal(out.focal_px, track.focal_px[1:3])
    np.testing.assert_array_equal(out.expression, track.expression[12:25])
    assert_same(cut(track, None, None), track)


# Time


def test_sampling_at_whole_rows_is_exact_and_between_them_halfway() -> None:
    track = made_performance(40, 1)
    assert_same(sampled(track, np.arange(40)), track)
    half = sampled(track, [7.5])
    np.testing.assert_allclose(half.expression[0], track.expression[7:9].mean(axis=0), atol=1e-6)
    whole = angles(track.R_cam_head[7:8], track.R_cam_head[8:9])
    np.testing.assert_allclose(angles(half.R_cam_head, track.R_cam_head[7:8]), whole / 2, atol=1e-6)
    np.testing.assert_allclose(angles(half.R_cam_head, track.R_cam_head[8:9]), whole / 2, atol=1e-6)


def test_sampling_across_a_cut_holds_the_last_row_before_it() -> None:
    track = made_performance(40, 2)
    out = sampled(track, [18.5, 19.0, 19.5, 20.0])
    assert out.shot.tolist() == [0, 0, 0, 1]
    for name in MOTION:
        np.testing.assert_array_equal(getattr(out, name)[1:], getattr(track, name)[[19, 19, 20]], err_msg=name)


def test_half_speed_and_twice_the_rate_have_twice_the_frames_and_every_other_is_the_old() -> None:
    track = bundled("winks")
    slow, fine = retime(track, speed=0.5), retime(track, fps=2 * track.fps)
    assert len(slow) == len(fine) == 2 * len(track)
    assert (slow.fps, fine.fps) == (track.fps, 2 * track.fps)
    assert_same(fine, slow, but=("fps",))
    for name in MOTION:
        np.testing.assert_array_equal(getattr(slow, name)[::2], getattr(track, name))
    assert slow.frame.tolist() == list(range(len(slow)))
    assert_same(retime(slow, speed=2.0), track, atol=1e-6)
    assert_same(retime(fine, fps=track.fps), track, atol=1e-6)


def test_retime_to_what_it_is_changes_nothing() -> None:
    track = cut(made_performance(), 5, 35)
    assert_same(retime(track, speed=1.0), track)
    assert_same(retime(track, fps=track.fps), track)
    assert_same(retime(track, frames=30), track)


@given(st.integers(3, 200), st.integers(1, 3), st.integers(6, 50))
@settings(max_examples=40, deadline=None)
def test_every_number_of_frames_comes_out_and_no_cut_is_blurred(wanted: int, shots_: int, frames: int) -> None:
    track = made_performance(frames, shots_)
    track.expression[:] = track.shot[:, None]  # a blurred cut would show as a fraction
    out = retime(track, frames=wanted)
    assert len(out) == wanted and out.fps == track.fps
    assert np.unique(out.shot).tolist() == list(range(shots_)) and (np.diff(out.shot) >= 0).all()
    np.testing.assert_array_equal(out.expression[:, 0], out.shot)


@given(st.sampled_from([12, 24, 30, 50, 60]), st.integers(2, 90))
@settings(max_examples=20, deadline=None)
def test_another_rate_keeps_the_duration_and_the_course(fps: int, frames: int) -> None:
    track = made_performance(frames, 1)
    track.expression[:] = (np.arange(frames) / 100)[:, None]
    out = retime(track, fps=Fraction(fps))
    assert len(out) / fps == pytest.approx(frames / 25, abs=0.51 / fps)
    ideal = np.minimum(np.arange(len(out)) * 25 / fps, frames - 1) / 100
    np.testing.assert_allclose(out.expression[:, 0], ideal, atol=1e-5)


def test_retime_wants_one_thing() -> None:
    with pytest.raises(ValueError, match="one of"):
        retime(made_performance(), speed=1.0, frames=5)


# Mix


def test_mix_takes_the_named_regions_and_nothing_else() -> None:
    a, b = bundled("talking"), bundled("surprise")  # 230 and 70 frames, both at 30 frames a second
    out = mix(a, b, ["mouth", "jaw", "gaze"])
    taken = region_mask("mouth") | region_mask("jaw")
    np.testing.assert_array_equal(out.expression[:70, taken], b.expression[:, taken])
    np.testing.assert_array_equal(out.expression[70:, taken], np.repeat(b.expression[-1:, taken], 160, axis=0))
    np.testing.assert_array_equal(out.expression[:, ~taken], a.expression[:, ~taken])
    np.testing.assert_array_equal(out.gaze[:70], b.gaze)
    assert_same(out, a, but=("expression", "gaze"))
    kept = mix(a, b, ["brows"])
    assert_same(kept, a, but=("expression",))
    np.testing.assert_array_equal(mix(b, a, ["mouth"]).expression[:, taken & region_mask("mouth")],
                                  a.expression[:70, taken & region_mask("mouth")])  # fmt: skip


def test_mix_reads_the_other_at_the_rate_of_the_first() -> None:
    a, b = made_performance(50, 1, fps=Fraction(50)), made_performance(40, 1, seed=3)
    out = mix(a, b, ["brows"])
    mask = region_mask("brows")
    np.testing.assert_array_equal(out.expression[::2, mask], b.expression[:25, mask])
    between = (b.expression[:24, mask] + b.expression[1:25, mask]) / 2
    np.testing.assert_allclose(out.expression[1:49:2, mask], between, atol=1e-6)


def test_mixed_in_head_moves_from_the_first_ones_rest_in_sizes_of_the_face() -> None:
    a, b = made_performance(40, 2, turn=0.1), made_performance(60, 1, seed=5, turn=0.1)
    out = mix(a, b, ["head"])
    theirs = head_rest_of(b.R_cam_head, b.t_cam_head)
    for shot, rows in enumerate(shots(a)):
        ours = head_rest_of(a.R_cam_head[rows], a.t_cam_head[rows])
        wanted = b.R_cam_head[rows] @ theirs.R_cam_head.T @ ours.R_cam_head
        np.testing.assert_allclose(out.R_cam_head[rows], wanted, atol=1e-5)
        size = a.face_size_m[shot] / b.face_size_m[0]
        moved = size * (b.t_cam_head[rows] - theirs.t_cam_head)
        np.testing.assert_allclose(out.t_cam_head[rows] - ours.t_cam_head, moved, atol=1e-6)
    assert_same(out, replace(a, seen=a.seen & b.seen[:40]), but=("R_cam_head", "t_cam_head"))


def test_mixing_a_performance_with_itself_changes_nothing() -> None:
    track = bundled("looking-around")
    assert_same(mix(track, track, list(STRENGTHS)), track, atol=1e-5)
