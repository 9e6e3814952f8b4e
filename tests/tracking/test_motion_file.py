# SPDX-License-Identifier: Apache-2.0
"""The motion file: what goes in comes out; what is wrong is named."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from reenact.app.arguments import bundled_performances
from reenact.media import InputError
from reenact.pipeline import bundled_performance
from reenact.tracking import CoarseTrack, load_motion, save_motion
from reenact.tracking.fit import Performance
from reenact.tracking.track import _fill, _merge_faceless


def made_track(frames: int = 7) -> CoarseTrack:
    rng = np.random.default_rng(0)
    return CoarseTrack(
        fps=Fraction(30000, 1001),
        width=640,
        height=360,
        head="reenact-open-head-1",
        expression=rng.random((frames, 52), np.float32),
        gaze=rng.random((frames, 2, 2), np.float32),
        R_cam_head=np.repeat(np.eye(3, dtype=np.float32)[None], frames, axis=0),
        t_cam_head=rng.random((frames, 3), np.float32),
        residual_px=rng.random(frames, np.float32),
        seen=np.arange(frames) != 2,
        shot=(np.arange(frames) > 3).astype(np.int32),
        frame=np.arange(frames, dtype=np.int32),
        identity=rng.random((2, 140), np.float32),
        focal_px=np.asarray([800, 900], np.float32),
        face_size_m=np.asarray([0.04, 0.03], np.float32),
        placement=rng.random((2, 478, 3), np.float32),
        source="clip.mp4",
    )


def test_a_track_survives_the_file_exactly(tmp_path: Path) -> None:
    track = made_track()
    save_motion(track, tmp_path / "a.motion.safetensors")
    back = load_motion(tmp_path / "a.motion.safetensors")
    for field in dataclasses.fields(CoarseTrack):
        np.testing.assert_array_equal(getattr(back, field.name), getattr(track, field.name), err_msg=field.name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.motion.safetensors"]


def test_dynamic_offsets_survive_in_half_precision(tmp_path: Path) -> None:
    offsets = np.random.default_rng(1).normal(0, 1e-3, (7, 478, 3)).astype(np.float32)
    save_motion(dataclasses.replace(made_track(), dynamic=offsets), tmp_path / "a.motion.safetensors")
    back = load_motion(tmp_path / "a.motion.safetensors").dynamic
    assert back is not None and back.dtype == np.float32
    np.testing.assert_allclose(back, offsets, atol=3e-6)
    save_motion(dataclasses.replace(made_track(), dynamic=offsets[:, :5]), tmp_path / "b.motion.safetensors")
    with pytest.raises(InputError, match="dynamic of shape"):
        load_motion(tmp_path / "b.motion.safetensors")


def test_select_keeps_the_frames_and_their_numbers() -> None:
    track = made_track()
    kept = track.select(track.seen)
    assert len(kept) == 6 and kept.frame.tolist() == [0, 1, 3, 4, 5, 6]
    np.testing.assert_array_equal(kept.expression, track.expression[track.seen])
    np.testing.assert_array_equal(kept.identity, track.identity)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: t.pop("gaze"), "lacks gaze"),
        (lambda t: t.update(gaze=t["gaze"][:3]), r"gaze of shape \(3, 2, 2\); want \(7, 2, 2\)"),
        (lambda t: t.update(expression=t["expression"] * np.nan), "expression that are not finite"),
        (lambda t: t.update(shot=t["shot"][::-1].copy()), "do not fit together"),
    ],
)
def test_a_spoilt_file_is_refused_by_name(tmp_path: Path, spoil, said: str) -> None:
    from safetensors import safe_open

    path = tmp_path / "b.motion.safetensors"
    save_motion(made_track(), path)
    with safe_open(path, framework="np") as file:
        about = file.metadata()
    tensors = load_file(path)
    spoil(tensors)
    save_file(tensors, path, metadata=about)
    with pytest.raises(InputError, match=f"b.motion.safetensors.*{said}"):
        load_motion(path)


@pytest.mark.parametrize("content", [b"", b"no tensors here", b"\x00" * 64])
def test_what_is_no_motion_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.motion.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"c\.motion\.safetensors"):
        load_motion(path)


def test_other_safetensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.motion.safetensors"
    save_file({"x": np.zeros(3)}, path)
    with pytest.raises(InputError, match="no format version"):
        load_motion(path)


def test_six_or_more_performances_are_bundled_and_lively() -> None:
    names = bundled_performances()
    assert len(names) >= 6
    for name in names:
        path = bundled_performance(name)
        assert path is not None
        track = load_motion(path)
        assert len(track) > 50 and track.seen.all()
        assert track.expression.std(axis=0).max() > 0.1


def test_faceless_frames_are_interpolated_and_held_at_the_ends() -> None:
    ramp = np.asarray([0.0, 1.0], np.float32)
    part = Performance(
        np.repeat(ramp[:, None], 52, axis=1),
        np.zeros((2, 2, 2), np.float32),
        np.repeat(np.eye(3, dtype=np.float32)[None], 2, axis=0),
        np.repeat(ramp[:, None], 3, axis=1),
        np.asarray([0.5, 0.7], np.float32),
    )
    seen = np.asarray([False, True, False, False, False, True, False])
    filled = _fill(part, seen)
    np.testing.assert_allclose(filled.expression[:, 0], [0, 0, 0.25, 0.5, 0.75, 1, 1], atol=1e-6)
    np.testing.assert_array_equal(np.isfinite(filled.residual_px), seen)


def test_shots_without_a_face_join_their_neighbours() -> None:
    shot = np.asarray([0, 0, 1, 1, 2, 3, 3], np.int32)
    seen = np.asarray([False, False, True, True, False, True, False])
    assert _merge_faceless(shot, seen).tolist() == [0, 0, 0, 0, 0, 1, 1]
