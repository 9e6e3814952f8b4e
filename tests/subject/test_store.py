# SPDX-License-Identifier: Apache-2.0
"""The .head file: comes back as it was, small, and refuses what it is not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from reenact.head.levels import open_levels
from reenact.head.open import open_head
from reenact.lab.synthetic import as_tracked, synthetic_motion
from reenact.media import InputError
from reenact.subject.personal_head import PersonalHead, QuantisedOffsets
from reenact.subject.store import load_head, save_head

HEAD, LEVELS = open_head(), open_levels()


@pytest.fixture(scope="module")
def person() -> PersonalHead:
    draw = np.random.default_rng(3)
    control, fit, _ = LEVELS
    static = (0.001 * draw.standard_normal((len(control), 3)) * control.soft[:, None]).astype(np.float32)
    fine = (0.0002 * draw.standard_normal((len(fit), 3)) * fit.soft[:, None]).astype(np.float32)
    moving = (0.002 * draw.standard_normal((6, len(control), 3)) * control.face[:, None]).astype(np.float32)
    vertices = np.flatnonzero(control.face > 0).astype(np.int32)
    texture = np.full((256, 256, 3), (190, 150, 130), np.uint8)
    texture[:, 128:] = (60, 40, 30)
    return PersonalHead(
        as_tracked(synthetic_motion(1, 6)), static, fine, QuantisedOffsets.of(moving, vertices), texture
    )


def test_it_comes_back_as_it_was(person: PersonalHead, tmp_path: Path) -> None:
    save_head(person, tmp_path / "a.head", {"sources": ["a.mp4"]})
    again, provenance = load_head(tmp_path / "a.head")
    assert provenance == {"sources": ["a.mp4"]}
    assert again.track.fps == Fraction(25) and len(again.track) == 6
    np.testing.assert_array_equal(again.static_control, person.static_control)
    np.testing.assert_allclose(again.static_fit, person.static_fit, atol=1e-6)
    assert again.texture is not None and person.texture is not None
    assert np.abs(again.texture.astype(int) - person.texture).mean() < 1.0
    rig, rows = person.coarse_rig(HEAD), np.arange(6)
    a, b = (p.surface(rig, LEVELS, rows) for p in (person, again))
    assert a.shape == (6, len(LEVELS[2]), 3) and (a - b).abs().max() < 1e-5
    assert [p.name for p in tmp_path.iterdir()] == ["a.head"]


def test_a_head_without_a_texture_has_none_again(person: PersonalHead, tmp_path: Path) -> None:
    save_head(replace(person, texture=None), tmp_path / "a.head", {})
    assert load_head(tmp_path / "a.head")[0].texture is None


def test_a_minute_of_video_is_megabytes(person: PersonalHead) -> None:
    assert person.dynamic.values[0].nbytes * 25 * 60 < 25e6


def test_a_byte_a_number_is_near_enough(person: PersonalHead) -> None:
    scale = person.dynamic.scale
    exact = np.random.default_rng(3)
    moving = 0.002 * exact.standard_normal((6, len(LEVELS[0]), 3)).astype(np.float32)
    packed = QuantisedOffsets.of(moving, np.arange(len(LEVELS[0]), dtype=np.int32))
    back = packed.rows(np.arange(6), len(LEVELS[0]))
    assert np.abs(back - moving).max() <= packed.scale.max() / 127 / 2 * 1.01
    assert (scale > 0).all()


def test_the_offsets_are_in_the_surface_where_they_belong(person: PersonalHead) -> None:
    rig = person.coarse_rig(HEAD)
    neutral = person.neutral(rig, LEVELS)
    bare = LEVELS[2].upsample(LEVELS[1].upsample(rig.neutral))
    moved = (neutral - bare).norm(dim=1)
    assert moved[torch.from_numpy(LEVELS[2].soft == 1)].median() > 0.0001
    soft = LEVELS[0].soft == 1  # teeth and tongue are seated behind the lips
    assert person.rig(HEAD).neutral[soft] == pytest.approx(
        (rig.neutral.numpy() + person.static_control)[soft], abs=1e-6
    )
    still = person.surface(rig, LEVELS, np.asarray([2]), dynamic=False)
    assert (person.surface(rig, LEVELS, np.asarray([2])) - still).norm(dim=-1).max() > 0.001


def test_other_files_are_refused_by_name(person: PersonalHead, tmp_path: Path) -> None:
    broken = tmp_path / "b.head"
    broken.write_bytes(b"not a head")
    with pytest.raises(InputError, match=r"b\.head is not a readable head file"):
        load_head(broken)
    from reenact.tracking import save_motion

    save_motion(person.track, tmp_path / "c.head")
    with pytest.raises(InputError, match="holds reenact-motion version 1"):
        load_head(tmp_path / "c.head")
    save_head(person, tmp_path / "d.head", {})
    with safe_open(tmp_path / "d.head", framework="np") as file:
        about, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tensors["texture"] = tensors["texture"][:100]
    save_file(tensors, tmp_path / "d.head", metadata=about)
    with pytest.raises(InputError, match=r"d\.head has a damaged texture"):
        load_head(tmp_path / "d.head")
    save_file(tensors, tmp_path / "e.head", metadata=about | {"version": "1"})
    with pytest.raises(InputError, match=r"holds reenact-head version 1 .* want reenact-head version 2"):
        load_head(tmp_path / "e.head")
