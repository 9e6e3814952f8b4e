# SPDX-License-Identifier: Apache-2.0
"""The .head file: comes back as it was, small, and refuses what it is not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from reenact.head.camera import Camera
from reenact.head.head_model import personalised
from reenact.head.levels import open_levels
from reenact.head.open import open_head
from reenact.head.state import deformed
from reenact.head.subject import Reference, Subject
from reenact.lab.synthetic import as_tracked, synthetic_motion
from reenact.media import InputError
from reenact.pipeline import read_driving
from reenact.subject.store import QuantisedOffsets, load_head, save_head
from reenact.subject.texture import require_motion
from reenact.tracking import save_motion
from tests.made_motions import assert_same, made_subject

HEAD, LEVELS, COUNT = open_head(), open_levels(), 6


@pytest.fixture(scope="module")
def subject() -> Subject:
    draw = np.random.default_rng(3)
    control, fit, _ = LEVELS
    static = 0.001 * draw.standard_normal((len(control), 3)) * control.soft.numpy()[:, None]
    fine = 0.0002 * draw.standard_normal((len(fit), 3)) * fit.soft.numpy()[:, None]
    moving = 0.002 * draw.standard_normal((COUNT, len(control), 3)) * control.face.numpy()[:, None]
    texture = np.full((256, 256, 3), (190, 150, 130), np.uint8)
    texture[:, 128:] = (60, 40, 30)
    made = made_subject(as_tracked(synthetic_motion(1, COUNT)), static, fine, texture)
    picture = torch.from_numpy(draw.integers(0, 255, (48, 64, 3), np.uint8))
    motion = require_motion(made).replace(dynamic_offset=moving)
    reference = Reference(picture, motion[2], Camera(90.0, 32.0, 24.0, 64, 48))
    return made.replace(motion=motion, references=(reference,), provenance={"sources": ["a.mp4"]})


def tensors_of(path: Path) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    with safe_open(path, framework="pt") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_it_comes_back_as_it_was(subject: Subject, tmp_path: Path) -> None:
    save_head(subject, tmp_path / "a.head")
    again = load_head(tmp_path / "a.head")
    assert again.provenance == {"sources": ["a.mp4"]} and again.camera == subject.camera
    assert require_motion(again).fps == Fraction(25)
    assert torch.equal(again.shape, subject.shape) and torch.equal(again.placement, subject.placement)
    assert again.static_offset is not None and subject.static_offset is not None
    assert torch.equal(again.static_offset, subject.static_offset)
    assert again.texture is not None and subject.texture is not None
    assert (again.texture.float() - subject.texture.float()).abs().mean() < 1.0
    a, b = (s.surface(require_motion(s)) for s in (subject, again))
    assert a.shape == (COUNT, len(LEVELS[2]), 3) and (a - b).abs().max() < 1e-4  # a byte a number
    assert [p.name for p in tmp_path.iterdir()] == ["a.head"]


def test_a_head_drives_by_the_landmarks_that_were_seen_and_not_by_its_own_dynamic_offsets(
    subject: Subject, tmp_path: Path
) -> None:
    seen = 0.001 * np.random.default_rng(1).standard_normal((COUNT, 478, 3))
    own = require_motion(subject).replace(landmark_offset=seen)
    save_head(subject.replace(motion=own), tmp_path / "a.head")
    driving = read_driving(HEAD, tmp_path / "a.head")
    assert driving.dynamic_offset is None
    assert driving.landmark_offset is not None and own.landmark_offset is not None
    torch.testing.assert_close(driving.landmark_offset, own.landmark_offset, atol=4e-6, rtol=0)


def test_its_pictures_come_back_or_are_left_out(subject: Subject, tmp_path: Path) -> None:
    save_head(subject, tmp_path / "a.head")
    (again,), (before,) = load_head(tmp_path / "a.head").references, subject.references
    assert torch.equal(again.image, before.image) and again.camera == before.camera
    assert_same(again.motion.replace(clip=None), before.motion.replace(clip=None, dynamic_offset=None))
    save_head(subject, tmp_path / "b.head", references=False)
    assert load_head(tmp_path / "b.head").references == ()


def test_a_subject_of_one_photo_needs_no_more_than_a_shape(subject: Subject, tmp_path: Path) -> None:
    coarse = Subject(HEAD, subject.shape, subject.camera, subject.placement, references=subject.references)
    save_head(coarse, tmp_path / "a.head")
    again = load_head(tmp_path / "a.head")
    assert again.static_offset is again.fine_offset is again.texture is again.motion is None
    assert torch.equal(again.head.neutral, coarse.head.neutral)


def test_a_minute_of_video_is_megabytes(subject: Subject, tmp_path: Path) -> None:
    save_head(subject, tmp_path / "a.head")
    values = tensors_of(tmp_path / "a.head")[1]["dynamic"]
    assert values.dtype == torch.int8 and values[0].numel() * 25 * 60 < 25e6


def test_a_byte_a_number_is_near_enough() -> None:
    exact = np.random.default_rng(3)
    moving = torch.from_numpy(0.002 * exact.standard_normal((6, len(LEVELS[0]), 3)).astype(np.float32))
    packed = QuantisedOffsets.of(moving, torch.arange(len(LEVELS[0])))
    assert (packed.dense(len(LEVELS[0])) - moving).abs().max() <= packed.scale.max() / 127 / 2 * 1.01
    assert (packed.scale > 0).all()


def test_the_offsets_are_in_the_surface_where_they_belong(subject: Subject) -> None:
    bare = Subject(HEAD, subject.shape, subject.camera, subject.placement)
    moved = (subject.neutral() - bare.neutral()).norm(dim=1)
    assert moved[LEVELS[2].soft == 1].median() > 0.0001
    soft = LEVELS[0].soft == 1  # teeth and tongue are seated behind the lips
    assert subject.static_offset is not None
    wanted = bare.head.neutral + subject.static_offset
    assert (subject.head.neutral - wanted)[soft].abs().max() < 1e-6
    motion = require_motion(subject)[2]
    still = subject.surface(motion.replace(dynamic_offset=None))
    assert (subject.surface(motion) - still).norm(dim=-1).max() > 0.001


def test_a_file_of_version_2_is_converted(subject: Subject, tmp_path: Path) -> None:
    """Its dynamic offsets were added to actions that do not know the static offset: the surface stays what it was."""
    save_head(subject, tmp_path / "a.head", references=False)
    about, found = tensors_of(tmp_path / "a.head")
    old = {name: found[name] for name in ("dynamic", "dynamic_scale", "dynamic_vertices", "texture", "motion")}
    old |= {"static_control": found["static_offset"], "static_fit": found["fine_offset"]}
    save_file(old, tmp_path / "old.head", metadata=about | {"version": "2"})
    again = load_head(tmp_path / "old.head")
    assert again.static_offset is not None
    motion = require_motion(again)
    packed = QuantisedOffsets(found["dynamic_vertices"], found["dynamic"], found["dynamic_scale"])
    plain = deformed(personalised(HEAD, again.shape), motion.replace(dynamic_offset=None))
    before = plain + again.static_offset + packed.dense(len(LEVELS[0]))
    skin = LEVELS[0].face == 1  # lids and lips of the two are made to meet in another order
    assert (again.surface(motion, 0) - before)[:, skin].norm(dim=-1).median() < 1e-5


def test_other_files_are_refused_by_name(subject: Subject, tmp_path: Path) -> None:
    broken = tmp_path / "b.head"
    broken.write_bytes(b"not a head")
    with pytest.raises(InputError, match=r"b\.head is not a readable head file"):
        load_head(broken)
    save_motion(require_motion(subject).replace(dynamic_offset=None), tmp_path / "c.head")
    with pytest.raises(InputError, match="holds reenact-motion version 1"):
        load_head(tmp_path / "c.head")
    save_head(subject, tmp_path / "d.head")
    about, tensors = tensors_of(tmp_path / "d.head")
    save_file(tensors | {"texture": tensors["texture"][:100]}, tmp_path / "d.head", metadata=about)
    with pytest.raises(InputError, match=r"d\.head has a damaged picture"):
        load_head(tmp_path / "d.head")
    save_file(tensors, tmp_path / "e.head", metadata=about | {"version": "1"})
    with pytest.raises(InputError, match=r"holds reenact-head version 1 .* want reenact-head version 3"):
        load_head(tmp_path / "e.head")
    save_file(tensors | {"shape": tensors["shape"][:7]}, tmp_path / "f.head", metadata=about)
    with pytest.raises(InputError, match=r"f\.head has shape of shape \(7,\); want finite numbers of shape \(140,\)"):
        load_head(tmp_path / "f.head")
