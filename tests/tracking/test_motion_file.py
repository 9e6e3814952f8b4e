# SPDX-License-Identifier: Apache-2.0
"""The motion file: what goes in comes out; what is wrong is named."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from reenact.app.arguments import bundled_motions
from reenact.head.motion import Motion
from reenact.media import InputError
from reenact.pipeline import bundled_motion
from reenact.tracking import load_motion, save_motion
from reenact.tracking.tracker import _fill, _merge_faceless
from tests.made_motions import assert_same, made_motion


def test_a_motion_survives_the_file_exactly(tmp_path: Path) -> None:
    motion = made_motion(fps=Fraction(30000, 1001))
    save_motion(motion, tmp_path / "a.motion.safetensors")
    assert_same(load_motion(tmp_path / "a.motion.safetensors"), motion)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.motion.safetensors"]


def test_landmark_offsets_survive_in_half_precision(tmp_path: Path) -> None:
    motion = made_motion(offsets=True)
    assert motion.landmark_offset is not None
    path = tmp_path / "a.motion.safetensors"
    save_motion(motion, path)
    back = load_motion(path).landmark_offset
    assert back is not None and load_file(path)["landmark_offset"].dtype == np.float16
    np.testing.assert_allclose(back, motion.landmark_offset, atol=3e-6)


def test_landmark_offsets_are_read_by_their_former_name(tmp_path: Path) -> None:
    path, motion = tmp_path / "a.motion.safetensors", made_motion(offsets=True)
    save_motion(motion, path)
    with safe_open(path, framework="np") as file:
        about = file.metadata()
    tensors = load_file(path)
    tensors["dynamic"] = tensors.pop("landmark_offset")
    save_file(tensors, path, about)
    assert_same(load_motion(path), motion, atol=3e-6)


def test_a_motion_that_was_not_tracked_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no clip"):
        save_motion(made_motion().replace(clip=None), tmp_path / "a.motion.safetensors")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda t: t.pop("gaze"), "lacks gaze"),
        (lambda t: t.update(gaze=t["gaze"][:3]), r"gaze of shape \(3, 2, 2\); want \(7, 2, 2\)"),
        (lambda t: t.update(expression=t["expression"] * np.nan), "expression that are not finite"),
        (lambda t: t.update(shot=t["shot"][::-1].copy()), "do not fit together"),
        (
            lambda t: t.update(landmark_offset=t["landmark_offset"][:, :5]),
            r"landmark_offset of shape \(7, 5, 3\); want \(7, 478, 3\)",
        ),
        (lambda t: t.update(identity=t["identity"][0]), r"identity of shape"),
    ],
)
def test_a_spoilt_file_is_refused_by_name(tmp_path: Path, spoil, said: str) -> None:
    path = tmp_path / "b.motion.safetensors"
    save_motion(made_motion(offsets=True), path)
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
    names = bundled_motions()
    assert len(names) >= 6
    for name in names:
        path = bundled_motion(name)
        assert path is not None
        motion = load_motion(path)
        assert len(motion) > 50 and motion.require_clip().seen.all()
        assert motion.expression.numpy().std(axis=0).max() > 0.1


def test_faceless_frames_are_interpolated_and_held_at_the_ends() -> None:
    ramp = np.asarray([0.0, 1.0], np.float32)
    part = Motion(
        np.repeat(ramp[:, None], 52, axis=1),
        np.zeros((2, 2, 2)),
        np.tile(np.eye(3), (2, 1, 1)),
        np.repeat(ramp[:, None], 3, axis=1),
    )
    seen = np.asarray([False, True, False, False, False, True, False])
    filled = _fill(part, seen)
    np.testing.assert_allclose(filled.expression[:, 0], [0, 0, 0.25, 0.5, 0.75, 1, 1], atol=1e-6)


def test_shots_without_a_face_join_their_neighbours() -> None:
    shot = np.asarray([0, 0, 1, 1, 2, 3, 3], np.int32)
    seen = np.asarray([False, False, True, True, False, True, False])
    assert _merge_faceless(shot, seen).tolist() == [0, 0, 0, 0, 0, 1, 1]
