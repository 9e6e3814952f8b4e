# SPDX-License-Identifier: Apache-2.0
"""SMPL-X and FLAME files: read without executing anything, posed as the `smplx` package poses them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from reenact.head.model_file import LAYOUTS, Kind, ModelFile, read_model_file
from reenact.head.skinning import SkinnedModel, rotations
from reenact.media import InputError
from tests.head.made_models import random_model

Arrays = dict[str, np.ndarray[Any, Any]]


@pytest.fixture(scope="module")
def flame() -> Arrays:
    return random_model("flame")


@pytest.fixture(scope="module")
def flame_file(flame: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("flame") / "FLAME_NEUTRAL.npz"
    np.savez(path, **flame, part2num=np.asarray({"an": "object"}, dtype=object))  # pyright: ignore[reportArgumentType]
    return path


@pytest.fixture(scope="module")
def read(flame_file: Path) -> ModelFile:
    return read_model_file(flame_file)


def codes(batch: int, joints: int, seed: int = 1) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    shape, expression = torch.randn(batch, 300, generator=rng), torch.randn(batch, 100, generator=rng)
    return shape, expression, 0.4 * torch.randn(batch, joints, 3, generator=rng)


def test_objects_beside_the_arrays_are_not_touched(read: ModelFile, flame: Arrays) -> None:
    assert read.kind == "flame" and read.parents == (-1, 0, 1, 1, 1)
    np.testing.assert_array_equal(read.expressions[7], flame["shapedirs"][:, :, 307])
    np.testing.assert_array_equal(read.pose_correctives[30], flame["posedirs"][:, :, 30])


def test_the_same_numbers_in_another_format_are_the_same_model(read: ModelFile, flame: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    save_file({k: np.ascontiguousarray(v) for k, v in flame.items()}, path)
    assert read_model_file(path).digest == read.digest


def posed_by_their_package(kind: Kind, arrays: Arrays, folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Vertices and joints of `codes`, by the classes of the `smplx` package."""
    smplx = pytest.importorskip("smplx")
    shape, expression, turns = codes(2, LAYOUTS[kind].joints)
    marks = {"lmk_faces_idx": np.zeros(51, np.int64), "lmk_bary_coords": np.full((51, 3), 1 / 3)}
    if kind == "flame":
        with (folder / "flame_static_embedding.pkl").open("wb") as file:
            pickle.dump({"lmk_face_idx": marks["lmk_faces_idx"], "lmk_b_coords": marks["lmk_bary_coords"]}, file)
        model = smplx.FLAME(str(folder), ext="npz", num_betas=300, num_expression_coeffs=100, batch_size=2)
        poses = dict(
            zip(("global_orient", "neck_pose", "jaw_pose", "leye_pose", "reye_pose"), turns.unbind(1), strict=True)
        )
    else:
        hands = {f"hands_{what}{side}": np.zeros((45, 45) if what == "components" else 45)
                 for what in ("components", "mean") for side in "lr"}  # fmt: skip
        path = folder / "SMPLX_NEUTRAL.npz"
        np.savez(path, **arrays, **marks, **hands)  # pyright: ignore[reportArgumentType]
        model = smplx.SMPLX(
            str(path), num_betas=300, num_expression_coeffs=100, batch_size=2, use_pca=False, flat_hand_mean=True
        )
        spans = {"global_orient": (0, 1), "body_pose": (1, 22), "jaw_pose": (22, 23), "leye_pose": (23, 24),
                 "reye_pose": (24, 25), "left_hand_pose": (25, 40), "right_hand_pose": (40, 55)}  # fmt: skip
        poses = {name: turns[:, a:b].flatten(1) for name, (a, b) in spans.items()}
    with torch.no_grad():
        out = model(betas=shape, expression=expression, **poses)
    return out.vertices, out.joints[:, : LAYOUTS[kind].joints]


@pytest.mark.parametrize("kind", ["flame", "smplx"])
@pytest.mark.filterwarnings("ignore")
def test_it_is_posed_as_their_own_package_poses_it(kind: Kind, flame: Arrays, flame_file: Path, tmp_path: Path) -> None:
    arrays = flame if kind == "flame" else random_model("smplx")
    folder = flame_file.parent if kind == "flame" else tmp_path
    vertices, joints = posed_by_their_package(kind, arrays, folder)
    model = SkinnedModel(read_model_file(next(folder.glob("*.npz"))))
    own, own_joints = model.posed(*codes(2, LAYOUTS[kind].joints))
    assert vertices.abs().max() > 1.0
    torch.testing.assert_close(own, vertices, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(own_joints, joints, atol=1e-5, rtol=1e-5)


def test_some_vertices_by_named_joints_are_those_of_all(read: ModelFile) -> None:
    shape, expression, turns = codes(3, 5)
    rows = torch.tensor([4, 4000, 17])
    turns[:, [0, 1]] = 0.0
    every, joints = SkinnedModel(read).posed(shape, expression, turns)
    by_name = {"jaw": turns[:, 2], "eye_left": turns[:, 3], "eye_right": turns[:, 4]}
    some, same_joints = SkinnedModel(read, rows)(shape, expression, by_name)
    torch.testing.assert_close(some, every[:, rows])
    torch.testing.assert_close(same_joints, joints)
    with pytest.raises(ValueError, match="turn of tail"):
        SkinnedModel(read, rows)(shape, expression, {"tail": turns[:, 2]})
    with pytest.raises(ValueError, match=r"want \[B, 300\]"):
        SkinnedModel(read, rows)(shape[:, :10], expression, {})


def test_gradients_pass_from_vertices_to_every_coefficient_and_turn(read: ModelFile) -> None:
    """Against finite differences in float64, with a joint at rest among them, where an angle has no direction."""
    model = SkinnedModel(read, torch.arange(3))
    for name in ("template", "basis", "_correctives", "_weights", "joints", "joint_basis"):
        setattr(model, name, getattr(model, name).double())
    shape, expression, turns = (x.double() for x in codes(1, 5))
    turns[:, 3] = 0.0

    def some(first: torch.Tensor, second: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
        a = torch.cat([first, shape[:, 2:]], 1)
        return model.posed(a, torch.cat([second, expression[:, 2:]], 1), turns)[0]

    inputs = [x.clone().requires_grad_() for x in (shape[:, :2], expression[:, :2], turns)]
    assert torch.autograd.gradcheck(some, inputs, atol=1e-5)


def test_rotations_are_rotations() -> None:
    turns = torch.cat([torch.randn(20, 3), 1e-6 * torch.randn(5, 3), torch.zeros(1, 3)]).double()
    matrices = rotations(turns)
    torch.testing.assert_close(matrices @ matrices.transpose(1, 2), torch.eye(3).double().expand(26, 3, 3))
    torch.testing.assert_close((matrices @ turns[..., None])[..., 0], turns)
    torch.testing.assert_close(rotations(torch.tensor([0.0, 0.0, torch.pi / 2])) @ torch.tensor([1.0, 0, 0]),
                               torch.tensor([0.0, 1, 0]), atol=1e-6, rtol=0)  # fmt: skip


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"weights": None}, "lacks weights"),
        ({"v_template": np.zeros((6890, 3))}, r"6890 vertices; want 10475 \(smplx\) or 5023 \(flame\)"),
        ({"shapedirs": np.zeros((5023, 3, 20))}, r"shapedirs of shape \(5023, 3, 20\); want \(5023, 3, 400\)"),
        ({"f": np.full((9976, 3), 5023)}, "faces of vertices 5023 to 5023"),
        ({"weights": np.ones((5023, 5))}, "sum to 5 to 5; want 1"),
        ({"kintree_table": np.zeros((2, 5)) + 4}, "4 as the parent of joint 1"),
        ({"J_regressor": np.asarray({"sparse": 1}, dtype=object)}, "not a .npz file of plain arrays"),
        ({"v_template": np.full((5023, 3), np.nan)}, "with NaN"),
        ({"v_template": np.zeros((5023, 3))}, "left eye 0 to the left"),
    ],
)
def test_what_is_no_model_is_refused_by_name(flame: Arrays, change: Arrays, told: str, tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    # Only what is looked at has to be large.
    np.savez(path, **{k: v for k, v in (flame | change).items() if v is not None})  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match=told) as error:
        read_model_file(path)
    assert str(path) in str(error.value)


def test_a_pickle_is_refused_and_not_executed(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    for name in ("generic_model.pkl", "model.npz"):
        (tmp_path / name).write_bytes(pickle.dumps(Trap()))
        with pytest.raises(InputError, match=name):
            read_model_file(tmp_path / name)
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(InputError, match="executes what is in it"):
        read_model_file(tmp_path / "generic_model.pkl")
    (tmp_path / "model.obj").write_text("v 0 0 0")
    with pytest.raises(InputError, match=r"ends in '\.obj'"):
        read_model_file(tmp_path / "model.obj")
    with pytest.raises(InputError, match="does not exist"):
        read_model_file(tmp_path / "none.npz")
