# SPDX-License-Identifier: Apache-2.0
"""A coarse subject: what it holds besides its shape."""

from __future__ import annotations

from pathlib import Path

import torch

import reenact
from reenact.media import read_image
from reenact.media.files import asset
from tests.read_glb import read_glb

HEAD = read_image(asset("demo/astronaut.jpg"))[:240, 106:346]


def test_a_coarse_subject_holds_the_motion_of_its_first_source_and_is_exported(tmp_path: Path) -> None:
    subject = reenact.fit_subject([HEAD, HEAD[:, ::-1]])
    assert len(subject.references) == 2
    assert subject.motion is not None and len(subject.motion) == 1
    assert torch.equal(subject.motion.expression, subject.references[0].motion.expression)
    reenact.save(subject, tmp_path / "subject.glb")
    assert ("head", "weights") in read_glb(tmp_path / "subject.glb").channels
