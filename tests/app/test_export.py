# SPDX-License-Identifier: Apache-2.0
"""`reenact export`: what it refuses, and a file that another reader opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from safetensors.numpy import save_file

from reenact.head.arkit import ACTIONS
from reenact.lab.synthetic import as_tracked, synthetic_motion
from reenact.subject.store import save_head
from tests.command_line import refusal, run_here
from tests.made_motions import made_subject
from tests.read_glb import read_glb


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("nobody.head -o a.glb", "nobody.head does not exist"),
        ("text.head -o a.glb", "text.head is not a readable head file"),
        ("old.head -o a.glb", "holds reenact-head version 1"),
        ("old.head -o a.gltf", "must have a name that ends in .glb"),
        ("old.head -o no/such/a.glb", "the folder of output"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(command: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "text.head").write_text("not a head")
    save_file({"x": np.zeros(1)}, tmp_path / "old.head", metadata={"format": "reenact-head", "version": "1"})
    before = sorted(tmp_path.iterdir())
    assert said in refusal("export", *command.split(), folder=tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_a_head_is_exported(tmp_path: Path) -> None:
    save_head(made_subject(as_tracked(synthetic_motion(1, 3))), tmp_path / "a.head")
    assert "3 frame(s)" in run_here(*"export a.head -o a.glb --detail coarse".split(), folder=tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.glb", "a.head"]
    read = read_glb(tmp_path / "a.glb")
    assert read.nodes["head"].target_names == list(ACTIONS)
    scene = trimesh.load_scene(tmp_path / "a.glb")
    assert isinstance(scene, trimesh.Scene)
    low, high = scene.bounds
    assert 0.2 < high[1] - low[1] < 0.35  # metres, y up
