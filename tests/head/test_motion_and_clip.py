# SPDX-License-Identifier: Apache-2.0
"""The one type that says what a head does: indexing, joining, and what it refuses."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reenact.head.motion import Clip, Motion
from reenact.tracking import load_motion, save_motion
from tests.made_motions import LOOKS, assert_same, made_motion, with_clip

FIELDS = ("expression", "gaze", "rotation", "translation", "landmark_offset", "dynamic_offset")
PER_FRAME = ("frame", "shot", "seen", "residual_px")


def shapes(frames: int) -> dict[str, Any]:
    """Fields of a motion of F frames, of 64 bits."""
    sizes = {"expression": (52,), "gaze": (2, 2), "rotation": (3, 3), "translation": (3,), "landmark_offset": (478, 3)}
    sizes["dynamic_offset"] = (5376, 3)
    return {name: np.zeros((frames, *size)) for name, size in sizes.items()}


def test_arrays_become_tensors_of_single_precision_and_are_copied() -> None:
    given = shapes(4)
    motion = Motion(**given)
    given["expression"][:] = 1.0
    assert len(motion) == 4 and motion.fps == 25 and motion.clip is None
    for name in FIELDS:
        value = getattr(motion, name)
        assert value.dtype == torch.float32 and value.device.type == "cpu" and not value.any(), name


def test_tensors_are_taken_as_they_are() -> None:
    expression = torch.zeros(2, 52)
    motion = Motion(expression, np.zeros((2, 2, 2)), torch.eye(3).repeat(2, 1, 1).double(), [[0, 0, 1]] * 2)
    assert motion.expression is expression and motion.rotation.dtype == torch.float32


def test_one_frame_may_lack_the_axis_of_frames() -> None:
    motion = Motion(np.zeros(52), np.zeros((2, 2)), np.eye(3), [0, 0, 1], np.zeros((478, 3)))
    assert_same(
        motion, Motion(np.zeros((1, 52)), np.zeros((1, 2, 2)), np.eye(3)[None], [[0, 0, 1]], np.zeros((1, 478, 3)))
    )


@pytest.mark.parametrize(
    ("name", "shape", "wanted"),
    [
        ("expression", (4, 51), r"\(4, 52\)"),
        ("gaze", (4, 2), r"\(4, 2, 2\)"),
        ("rotation", (3, 3, 3), r"\(4, 3, 3\)"),
        ("translation", (4, 3, 1), r"\(4, 3\)"),
        ("landmark_offset", (4, 477, 3), r"\(4, 478, 3\)"),
        ("dynamic_offset", (4, 5376, 2), r"\(4, 5376, 3\)"),
    ],
)
def test_a_wrong_shape_is_refused_by_name(name: str, shape: tuple[int, ...], wanted: str) -> None:
    found = ", ".join(map(str, shape))
    given = shapes(4)
    given[name] = np.zeros(shape)
    with pytest.raises(ValueError, match=rf"^{name} has shape \({found}\), want {wanted}$"):
        Motion(**given)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shot": torch.zeros(5, dtype=torch.int32)}, r"shot has shape \(5,\), want \(7,\)"),
        ({"shot": torch.zeros(7)}, r"shot has shape \(7,\) of torch.float32, want \(7,\) of torch.int32"),
        ({"seen": torch.zeros(7)}, r"seen has shape \(7,\) of torch.float32, want \(7,\) of torch.bool"),
        ({"residual_px": torch.zeros(7).double()}, r"residual_px has shape \(7,\) of torch.float64, want"),
        ({"focal_px": torch.zeros(1)}, r"focal_px has shape \(1,\), want \(2,\)"),
        ({"placement": torch.zeros(2, 478, 2)}, r"placement has shape \(2, 478, 2\), want \(2, 478, 3\)"),
        ({"identity": torch.zeros(2)}, r"identity has shape \(2,\), want"),
    ],
)
def test_a_clip_refuses_what_does_not_fit_by_name(changes: dict[str, torch.Tensor], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        with_clip(made_motion(), **changes)


def test_a_clip_of_other_frames_is_refused() -> None:
    with pytest.raises(ValueError, match="clip has 5 frames, expression 7; want as many"):
        made_motion(7).replace(clip=made_motion(5).clip)


@pytest.mark.parametrize(
    ("index", "rows"),
    [
        (3, [3]),
        (-1, [6]),
        (np.int64(2), [2]),
        (slice(2, 5), [2, 3, 4]),
        (slice(None, None, -2), [6, 4, 2, 0]),
        (slice(5, 2), []),
        ([4, 0, 4], [4, 0, 4]),
        (np.asarray([1, -1]), [1, 6]),
        (np.asarray([1, 5], np.int32), [1, 5]),
        (range(1, 7, 3), [1, 4]),
        (torch.tensor([6, 0]), [6, 0]),
        (np.arange(7) % 2 == 1, [1, 3, 5]),
        (torch.arange(7) > 4, [5, 6]),
    ],
)
def test_an_index_keeps_the_axis_of_frames_and_takes_the_clip_along(index, rows: list[int]) -> None:
    motion = made_motion(offsets=True)
    motion = motion.replace(dynamic_offset=torch.randn(len(motion), 12, 3))
    some = motion[index]
    assert len(some) == len(rows) and some.fps == motion.fps
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(some, name), getattr(motion, name).numpy()[rows], err_msg=name)
    clip, before = some.require_clip(), motion.require_clip()
    for name in PER_FRAME:
        np.testing.assert_array_equal(getattr(clip, name), getattr(before, name).numpy()[rows], err_msg=name)
    assert clip.identity is before.identity and clip.source == before.source


@pytest.mark.parametrize("index", [7, -8, [0, 7], np.ones(6, bool)])
def test_an_index_out_of_range_is_refused(index) -> None:
    with pytest.raises(IndexError):
        made_motion()[index]


def test_frames_come_one_by_one_and_go_together_again() -> None:
    motion = made_motion(offsets=True)
    frames = list(motion)
    assert [len(frame) for frame in frames] == [1] * 7
    assert_same(Motion.joined(frames).replace(clip=motion.clip), motion)


def test_clips_are_joined_and_their_shots_counted_on() -> None:
    motion = made_motion(7, 3)
    again = Motion.joined([motion[:4], motion[4:]])
    clip, before = again.require_clip(), motion.require_clip()
    assert clip.shot.tolist() == [0, 0, 0, 1, 4, 5, 5] and len(clip.identity) == 6
    assert_same(again.replace(clip=clip.without_empty_shots()), with_clip(motion, **cut_shot(before)))


def cut_shot(clip: Clip) -> dict[str, torch.Tensor]:
    """Shots of a clip whose second shot, of frames 3 and 4, is two."""
    kept = {name: getattr(clip, name)[[0, 1, 1, 2]] for name in ("identity", "focal_px", "face_size_m", "placement")}
    return kept | {"shot": torch.tensor([0, 0, 0, 1, 2, 3, 3], dtype=torch.int32)}


def test_a_clip_is_lost_where_a_part_has_none_and_offsets_are_filled_up() -> None:
    one, other = made_motion(3, 1, offsets=True), made_motion(2, 1).replace(clip=None)
    both = Motion.joined([one, other])
    assert both.clip is None and both.landmark_offset is not None
    np.testing.assert_array_equal(both.landmark_offset[:3], one.landmark_offset)
    assert not both.landmark_offset[3:].any()
    assert Motion.joined([other, other]).landmark_offset is None


def test_what_does_not_go_together_is_not_joined() -> None:
    with pytest.raises(ValueError, match=r"at \['25', '30'\] frames a second"):
        Motion.joined([made_motion(), made_motion(fps=Fraction(30))])
    with pytest.raises(ValueError, match=r"at \[\] frames a second"):
        Motion.joined([])
    with pytest.raises(ValueError, match="clips of width 640 and 320"):
        Motion.joined([made_motion(), with_clip(made_motion(), width=320)])
    moved = [made_motion().replace(dynamic_offset=np.zeros((7, count, 3))) for count in (5, 6)]
    with pytest.raises(ValueError, match=r"dynamic offsets of \[5, 6\] points"):
        Motion.joined(moved)


def test_shots_are_pieces_and_without_a_clip_there_is_one() -> None:
    motion = made_motion(7, 3)
    assert [(rows.start, rows.stop) for rows in motion.shots()] == [(0, 3), (3, 5), (5, 7)]
    assert list(motion.replace(clip=None).shots()) == [slice(0, 7)]
    assert motion.source == "made.mp4" and motion.replace(clip=None).source == "the motion"
    with pytest.raises(ValueError, match="has no clip"):
        motion.replace(clip=None).require_clip()


def test_replaced_fields_are_checked_and_the_others_stay() -> None:
    motion = made_motion()
    other = motion.replace(translation=np.ones((7, 3)), fps=Fraction(30000, 1001))
    assert other.translation.dtype == torch.float32 and bool((other.translation == 1).all())
    assert_same(other, motion, but=("translation", "fps"))
    with pytest.raises(ValueError, match="gaze has shape"):
        motion.replace(gaze=np.zeros((3, 2, 2)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        motion.fps = Fraction(30)  # type: ignore[misc]


@pytest.mark.parametrize("fps", [Fraction(25), Fraction(30000, 1001)])
def test_it_survives_its_file(tmp_path: Path, fps: Fraction) -> None:
    motion = made_motion(9, 4, fps)
    motion = with_clip(motion[[0, 2, 3, 7, 8]], residual_px=torch.tensor([0.5, torch.nan, 1.0, 2.0, 0.25]))
    save_motion(motion, tmp_path / "a.motion.safetensors")
    assert_same(load_motion(tmp_path / "a.motion.safetensors"), motion)


def test_a_motion_says_what_it_is_in_one_line() -> None:
    assert repr(made_motion(7, 2, offsets=True)) == "Motion(7 frames at 25/s, landmark offsets, of made.mp4)"
    assert repr(made_motion().replace(clip=None)) == "Motion(7 frames at 25/s, of the motion)"


def test_where_the_eyes_look_is_said_by_the_gaze_alone() -> None:
    motion = made_motion()
    looking = motion.replace(expression=torch.ones_like(motion.expression))
    assert (looking.expression[:, LOOKS] == 0).all() and (looking.expression[:, ~LOOKS] == 1).all()
