# SPDX-License-Identifier: Apache-2.0
"""Edits of a performance do what they say, to what they name, and to nothing else."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reenact.head.arkit import ACTIONS, REGIONS, action_bounds, index, region_mask
from reenact.media import InputError
from reenact.transfer.edit import clamp, cut, mirror, mix, offset, scale
from reenact.transfer.head_motion import head_rest_of
from reenact.transfer.motion_modes import STRENGTHS, gaze_rest_of
from reenact.transfer.selection import selected
from reenact.transfer.smoothing import smooth, smooth_causal
from reenact.transfer.timing import retime, sampled
from tests.made_motions import LOOKS, assert_same, with_clip
from tests.transfer.made_motions import angles, bundled, made_motion

MOTION = ("expression", "gaze", "rotation", "translation")


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
    mask = torch.from_numpy(region_mask(region))
    np.testing.assert_allclose(out.expression[:, mask], 0.5 * track.expression[:, mask], atol=1e-6)
    np.testing.assert_array_equal(out.expression[:, ~mask], track.expression[:, ~mask])
    assert_same(out, track, but=("expression",))


def test_scaled_actions_stay_within_what_the_format_allows() -> None:
    out = scale(bundled("surprise"), "all", 30.0)
    codes = out.expression.numpy()
    assert (codes <= action_bounds()).all() and (codes.max(axis=0) == action_bounds()).sum() > 20


def test_scale_by_one_is_the_same_track_and_by_nought_is_still() -> None:
    track = made_motion()
    assert_same(scale(track, "all", 1.0), track)
    still = scale(track, "all", 0.0)
    assert not still.expression.any()
    for rows in track.shots():
        rest = head_rest_of(track.rotation[rows].numpy(), track.translation[rows].numpy())
        eyes = gaze_rest_of(track.gaze[rows].numpy(), track.expression[rows].numpy())
        np.testing.assert_allclose(still.rotation[rows], np.broadcast_to(rest.R_cam_head, (20, 3, 3)), atol=1e-6)
        np.testing.assert_allclose(still.translation[rows], np.broadcast_to(rest.t_cam_head, (20, 3)), atol=1e-6)
        np.testing.assert_allclose(still.gaze[rows], np.broadcast_to(eyes, (20, 2, 2)), atol=1e-6)


@given(st.floats(0, 1.5))
@settings(max_examples=15, deadline=None)
def test_head_is_scaled_about_its_rest_in_each_shot(factor: float) -> None:
    track = made_motion(turn=0.1)
    out = scale(track, "head", factor)
    for rows in track.shots():
        rest = head_rest_of(track.rotation[rows].numpy(), track.translation[rows].numpy())
        away = angles(track.rotation[rows].numpy(), rest.R_cam_head)
        np.testing.assert_allclose(angles(out.rotation[rows].numpy(), rest.R_cam_head), factor * away, atol=2e-6)
        moved = factor * (track.translation[rows].numpy() - rest.t_cam_head)
        np.testing.assert_allclose(out.translation[rows].numpy() - rest.t_cam_head, moved, atol=1e-6)
    assert_same(out, track, but=("rotation", "translation"))


def test_offset_shifts_its_actions_within_bounds() -> None:
    track = made_motion()
    out = offset(track, "mouthSmile", -0.4)
    both = [index("mouthSmileLeft"), index("mouthSmileRight")]
    np.testing.assert_allclose(out.expression[:, both], (track.expression[:, both] - 0.4).clamp(min=0), atol=1e-6)
    others = np.delete(np.arange(52), both)
    np.testing.assert_array_equal(out.expression[:, others], track.expression[:, others])
    assert_same(offset(offset(track, "jawOpen", 0.25), "jawOpen", -0.25), track, atol=1e-6)


def test_clamp_holds_its_actions_between_two_values() -> None:
    track = made_motion()
    out = clamp(track, "brows", 0.3, 0.6)
    np.testing.assert_array_equal(
        out.expression,
        torch.where(torch.from_numpy(region_mask("brows")), track.expression.clamp(0.3, 0.6), track.expression),
    )
    assert_same(clamp(clamp(track, "all", 0.2, 0.7), "all", 0.2, 0.7), clamp(track, "all", 0.2, 0.7))
    assert not clamp(track, "all", 0.2, 0.7).expression[:, torch.from_numpy(LOOKS)].any()


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
        (lambda t: mix(t, with_clip(t, head="other"), ["mouth"]), "head reenact-open-head-1 and made.mp4 with other"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(edit, said: str) -> None:
    with pytest.raises(InputError, match=said):
        edit(made_motion())


def test_what_no_tracker_has_left_is_edited_as_one_shot() -> None:
    track = made_motion(40, 1)
    bare = track.replace(clip=None)
    for edit in (
        lambda t: scale(t, "all", 0.5),
        mirror,
        lambda t: cut(t, 5, 35),
        lambda t: smooth(t, 0.1),
        lambda t: smooth_causal(t, 0.1),
        lambda t: retime(t, speed=0.7),
    ):
        assert_same(edit(bare), edit(track).replace(clip=None))
    with pytest.raises(InputError, match="the motion has 40 frames and cannot be cut to 5:5"):
        cut(bare, 5, 5)


# Mirror and cut


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_mirrored_twice_is_the_same_track(seed: int) -> None:
    track = made_motion(seed=seed)
    assert_same(mirror(mirror(track)), track)
    assert (mirror(track).expression != track.expression).any()


def test_a_mirrored_head_is_seen_on_the_other_side_of_the_picture() -> None:
    """A point of the head, and its counterpart on the mirrored head, lie mirrored in the picture."""
    track = bundled("looking-around")
    out = mirror(track)
    np.testing.assert_allclose(out.rotation.det(), 1, atol=1e-5)
    point, across = torch.tensor([0.05, -0.03, 0.08]), torch.tensor([-1.0, 1.0, 1.0])
    seen = track.rotation @ point + track.translation
    other = out.rotation @ (point * across) + out.translation
    np.testing.assert_allclose(other, seen * across, atol=1e-6)
    assert np.ptp(seen[:, 0].numpy()) > 0.005


def test_mirror_swaps_sides_of_actions_and_eyes() -> None:
    track = made_motion()
    out = mirror(track)
    for here, there in (("jawLeft", "jawRight"), ("eyeBlinkRight", "eyeBlinkLeft"), ("jawOpen", "jawOpen")):
        np.testing.assert_array_equal(out.expression[:, index(here)], track.expression[:, index(there)])
    np.testing.assert_array_equal(out.gaze[:, 0], track.gaze[:, 1] * torch.tensor([-1.0, 1.0]))


def test_cut_keeps_frames_and_drops_shots_of_which_nothing_is_left() -> None:
    track = made_motion(frames=40, shots=4)
    out = cut(track, 12, 25)
    clip, before = out.require_clip(), track.require_clip()
    assert clip.frame.tolist() == list(range(12, 25)) and clip.shot.tolist() == [0] * 8 + [1] * 5
    np.testing.assert_array_equal(clip.identity, before.identity[1:3])
    np.testing.assert_array_equal(clip.focal_px, before.focal_px[1:3])
    np.testing.assert_array_equal(out.expression, track.expression[12:25])
    assert_same(cut(track, None, None), track)


# Time


def test_sampling_at_whole_rows_is_exact_and_between_them_halfway() -> None:
    track = made_motion(40, 1)
    assert_same(sampled(track, np.arange(40)), track)
    half = sampled(track, [7.5])
    np.testing.assert_allclose(half.expression[0], track.expression[7:9].mean(dim=0), atol=1e-6)
    before, middle, after = (r.numpy() for r in (track.rotation[7:8], half.rotation, track.rotation[8:9]))
    whole = angles(before, after)
    np.testing.assert_allclose(angles(middle, before), whole / 2, atol=1e-6)
    np.testing.assert_allclose(angles(middle, after), whole / 2, atol=1e-6)


def test_sampling_across_a_cut_holds_the_last_row_before_it() -> None:
    track = made_motion(40, 2)
    out = sampled(track, [18.5, 19.0, 19.5, 20.0])
    assert out.require_clip().shot.tolist() == [0, 0, 0, 1]
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
    assert slow.require_clip().frame.tolist() == list(range(len(slow)))
    assert_same(retime(slow, speed=2.0), track, atol=1e-6)
    assert_same(retime(fine, fps=track.fps), track, atol=1e-6)


def test_retime_to_what_it_is_changes_nothing() -> None:
    track = cut(made_motion(), 5, 35)
    assert_same(retime(track, speed=1.0), track)
    assert_same(retime(track, fps=track.fps), track)
    assert_same(retime(track, frames=30), track)


@given(st.integers(3, 200), st.integers(1, 3), st.integers(6, 50))
@settings(max_examples=40, deadline=None)
def test_every_number_of_frames_comes_out_and_no_cut_is_blurred(wanted: int, shots: int, frames: int) -> None:
    track = made_motion(frames, shots)
    # A blurred cut would show as a fraction.
    track = track.replace(expression=track.require_clip().shot[:, None].repeat(1, 52))
    out = retime(track, frames=wanted)
    shot = out.require_clip().shot
    assert len(out) == wanted and out.fps == track.fps
    assert shot.unique().tolist() == list(range(shots)) and (shot.diff() >= 0).all()
    np.testing.assert_array_equal(out.expression[:, 0], shot)


@given(st.sampled_from([12, 24, 30, 50, 60]), st.integers(2, 90))
@settings(max_examples=20, deadline=None)
def test_another_rate_keeps_the_duration_and_the_course(fps: int, frames: int) -> None:
    codes = np.repeat(np.arange(frames)[:, None] / 100, 52, axis=1)
    track = made_motion(frames, 1).replace(expression=codes)
    out = retime(track, fps=Fraction(fps))
    assert len(out) / fps == pytest.approx(frames / 25, abs=0.51 / fps)
    ideal = np.minimum(np.arange(len(out)) * 25 / fps, frames - 1) / 100
    np.testing.assert_allclose(out.expression[:, 0], ideal, atol=1e-5)


def test_retime_wants_one_thing() -> None:
    with pytest.raises(ValueError, match="one of"):
        retime(made_motion(), speed=1.0, frames=5)


# Mix


def test_mix_takes_the_named_regions_and_nothing_else() -> None:
    a, b = bundled("talking"), bundled("surprise")  # 230 and 70 frames, both at 30 frames a second
    out = mix(a, b, ["mouth", "jaw", "gaze"])
    mouth = torch.from_numpy(region_mask("mouth"))
    taken = mouth | torch.from_numpy(region_mask("jaw"))
    np.testing.assert_array_equal(out.expression[:70, taken], b.expression[:, taken])
    np.testing.assert_array_equal(out.expression[70:, taken], b.expression[-1:, taken].repeat(160, 1))
    np.testing.assert_array_equal(out.expression[:, ~taken], a.expression[:, ~taken])
    np.testing.assert_array_equal(out.gaze[:70], b.gaze)
    assert_same(out, a, but=("expression", "gaze"))
    kept = mix(a, b, ["brows"])
    assert_same(kept, a, but=("expression",))
    np.testing.assert_array_equal(mix(b, a, ["mouth"]).expression[:, mouth], a.expression[:70, mouth])


def test_mix_reads_the_other_at_the_rate_of_the_first() -> None:
    a, b = made_motion(50, 1, fps=Fraction(50)), made_motion(40, 1, seed=3)
    out = mix(a, b, ["brows"])
    mask = torch.from_numpy(region_mask("brows"))
    np.testing.assert_array_equal(out.expression[::2, mask], b.expression[:25, mask])
    between = (b.expression[:24, mask] + b.expression[1:25, mask]) / 2
    np.testing.assert_allclose(out.expression[1:49:2, mask], between, atol=1e-6)


def test_mixed_in_head_moves_from_the_first_ones_rest_in_sizes_of_the_face() -> None:
    a, b = made_motion(40, 2, turn=0.1), made_motion(60, 1, seed=5, turn=0.1)
    out = mix(a, b, ["head"])
    turns, places = b.rotation.numpy(), b.translation.numpy()
    theirs, sizes = head_rest_of(turns, places), (a.require_clip().face_size_m, b.require_clip().face_size_m)
    for shot, rows in enumerate(a.shots()):
        ours = head_rest_of(a.rotation[rows].numpy(), a.translation[rows].numpy())
        wanted = turns[rows] @ theirs.R_cam_head.T @ ours.R_cam_head
        np.testing.assert_allclose(out.rotation[rows], wanted, atol=1e-5)
        moved = float(sizes[0][shot] / sizes[1][0]) * (places[rows] - theirs.t_cam_head)
        np.testing.assert_allclose(out.translation[rows].numpy() - ours.t_cam_head, moved, atol=1e-6)
    both = a.require_clip().seen & b.require_clip().seen[:40]
    assert_same(out, with_clip(a, seen=both), but=("rotation", "translation"))


def test_mixing_a_performance_with_itself_changes_nothing() -> None:
    track = bundled("looking-around")
    assert_same(mix(track, track, list(STRENGTHS)), track, atol=1e-5)
