# SPDX-License-Identifier: Apache-2.0
"""Millimetres between heads: blind to frame and unit, zero for the truth, linear in a known disturbance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from scipy.spatial.transform import Rotation

from reenact.head.arkit import index
from reenact.head.head_model import head_model
from reenact.head.open import open_head
from reenact.lab.evaluation.mesh import Heads, load_heads, mesh_errors, mesh_parts, save_heads
from reenact.media import InputError

MODEL = open_head()
HEAD = head_model(MODEL).personalise(torch.zeros(MODEL.identity_size), adapted=False)


def heads(frames: int = 6) -> Heads:
    codes = torch.zeros(frames, 52)
    codes[:, index("jawOpen")] = torch.linspace(0, 0.8, frames)
    codes[:, index("browInnerUp")] = 0.3
    turns = Rotation.from_euler("y", np.linspace(-20, 20, frames)[:, None], degrees=True).as_matrix()
    shapes = HEAD.deform(codes, torch.zeros(frames, 2, 2)).numpy()
    return Heads(shapes, HEAD.neutral.numpy(), turns.astype(np.float32))


def means(output: Heads, truth: Heads) -> dict[str, float]:
    return {value.about.key: value.mean for value in mesh_errors(output, truth)}


def test_the_truth_in_another_frame_and_unit_is_perfect() -> None:
    truth = heads()
    turn = Rotation.from_euler("xyz", [20, 30, -15], degrees=True).as_matrix()
    moved = Heads(1000.0 * truth.shapes @ turn.T + 5.0, 1000.0 * truth.photo @ turn.T + 5.0, truth.R_cam_head @ turn.T)
    for key, mean in means(moved, truth).items():
        assert mean < 2e-3, key  # single precision


def test_a_known_disturbance_is_measured_in_millimetres_and_linearly() -> None:
    truth, parts = heads(), mesh_parts()
    mouth = np.zeros_like(truth.shapes)
    mouth[:, parts["mouth"], 1] = 0.001
    one, two = (means(replace(truth, shapes=truth.shapes + k * mouth), truth) for k in (1.0, 2.0))
    assert one["mesh_motion_mm/mouth"] == pytest.approx(1.0, abs=0.25)  # the similarity takes a part of it up
    assert one["mesh_motion_mm/brows"] < 0.3 * one["mesh_motion_mm/mouth"]
    for key in ("mesh_motion_mm/mouth", "mesh_motion_mm/face", "mesh_mm/face"):
        assert two[key] == pytest.approx(2 * one[key], rel=0.05)


def test_a_wrong_face_that_moves_rightly_has_a_shape_error_and_no_motion_error() -> None:
    truth = heads()
    bump = np.zeros_like(truth.photo)
    bump[mesh_parts()["brows"], 2] = 0.004
    found = means(replace(truth, shapes=truth.shapes + bump, photo=truth.photo + bump), truth)
    assert found["mesh_mm/brows"] > 2.0
    assert found["mesh_motion_mm/face"] < 0.02


def test_a_frozen_head_gets_the_number_beside_and_a_turn_is_in_degrees() -> None:
    truth = heads()
    still = Heads(np.repeat(truth.photo[None], len(truth.shapes), 0), truth.photo, truth.R_cam_head)
    for value in mesh_errors(still, truth):
        if value.about.name == "mesh_motion_mm":
            assert value.mean == pytest.approx(value.beside["frozen"], rel=0.02)
    off = Rotation.from_euler("y", 3, degrees=True).as_matrix()
    assert means(replace(truth, R_cam_head=off @ truth.R_cam_head), truth)["mesh_turn_deg"] == pytest.approx(
        3, abs=1e-3
    )


def test_parts_are_where_their_names_say() -> None:
    parts, base = mesh_parts(), MODEL.base_neutral
    assert all(set(rows) <= set(parts["face"]) and len(rows) > 40 for rows in parts.values())
    assert base[parts["mouth"], 1].mean() < base[parts["eyes"], 1].mean() < base[parts["brows"], 1].mean()


def test_files_survive_and_others_are_refused_by_name(tmp_path: Path) -> None:
    save_heads(heads(), tmp_path / "a.mesh.safetensors")
    back = load_heads(tmp_path / "a.mesh.safetensors")
    np.testing.assert_array_equal(back.shapes, heads().shapes)
    save_file({"shapes": back.shapes}, tmp_path / "b.mesh.safetensors")
    (tmp_path / "c.mesh.safetensors").write_bytes(b"no tensors")
    for name, says in (("b", "want reenact-mesh"), ("c", "not a readable"), ("d", "does not exist")):
        with pytest.raises(InputError, match=rf"{name}\.mesh.*{says}"):
            load_heads(tmp_path / f"{name}.mesh.safetensors")
    with pytest.raises(InputError, match="6 heads, the truth 5"):
        mesh_errors(heads(6), heads(5))
