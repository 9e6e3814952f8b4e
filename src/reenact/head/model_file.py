# SPDX-License-Identifier: Apache-2.0
"""A user's own SMPL-X or FLAME file (experimental): checked tensors out of it, and nothing in it executed.

SMPL-X: Pavlakos et al. 2019, arXiv 1904.05866. FLAME: Li et al. 2017, doi 10.1145/3130800.3130813. Neither may be
passed on: no number of them is in this package, and whoever holds their licence points to the file.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.media import InputError
from reenact.media.arrays import read_arrays
from reenact.media.files import existing_file

from .model import Float

Kind = Literal["smplx", "flame"]
SHAPES: Final = 300
EXPRESSIONS: Final = 100


@dataclass(frozen=True)
class Layout:
    """What a model of one kind consists of."""

    vertices: int
    faces: int
    joints: int
    at: dict[str, int]
    """Rows of the joints a head has. FLAME's skull turns about its neck joint, and its root is the base of the neck."""


LAYOUTS: Final[dict[Kind, Layout]] = {
    "smplx": Layout(10475, 20908, 55, {"neck": 12, "head": 15, "jaw": 22, "eye_left": 23, "eye_right": 24}),
    "flame": Layout(5023, 9976, 5, {"neck": 0, "head": 1, "jaw": 2, "eye_left": 3, "eye_right": 4}),
}
_KEYS: Final = ("v_template", "shapedirs", "posedirs", "J_regressor", "kintree_table", "weights", "f")


@dataclass(frozen=True, eq=False)
class ModelFile:
    """V vertices, F triangles, J joints, P = 9 (J - 1). Metres; x subject's left, y up, z out of the face; float32."""

    kind: Kind
    template: Tensor  # [V, 3]
    shapes: Tensor  # [300, V, 3] of unit variance each
    expressions: Tensor  # [100, V, 3]
    pose_correctives: Tensor  # [P, V, 3] for the entries, row by row, of R - 1 of all joints but the root
    joint_regressor: Tensor  # [J, V]
    parents: tuple[int, ...]  # [J] the root's is -1; every other comes before its child
    weights: Tensor  # [V, J] rows sum to 1
    faces: Tensor  # [F, 3] int32
    digest: str  # of all of the above: the same in whatever file format

    @property
    def layout(self) -> Layout:
        """Of its kind."""
        return LAYOUTS[self.kind]


def read_model_file(path: Path) -> ModelFile:
    """Read a .npz or .safetensors file of SMPL-X or FLAME, of the true shapes.

    Only the arrays that are needed are read: official .npz files hold pickled objects beside them.
    Raises InputError, naming the file, what was found and what is wanted.
    """
    path = existing_file(path, "an SMPL-X or FLAME model, .npz or .safetensors,")
    if path.suffix.lower() in (".pkl", ".pickle"):
        raise InputError(
            f"{path} is a pickle, and reading a pickle executes what is in it; want .npz or .safetensors: "
            "docs/head-models.md has the lines that convert it"
        )
    if path.suffix.lower() not in (".npz", ".safetensors"):
        raise InputError(f"{path} ends in '{path.suffix}'; want an SMPL-X or FLAME model as .npz or .safetensors")
    found = _read_npz(path) if path.suffix.lower() == ".npz" else _read_safetensors(path)
    count = len(found["v_template"]) if found["v_template"].ndim else 0
    kind: Kind | None = next((k for k, layout in LAYOUTS.items() if layout.vertices == count), None)
    if kind is None:
        wanted = " or ".join(f"{layout.vertices} ({k})" for k, layout in LAYOUTS.items())
        raise InputError(f"{path} has v_template of {count} vertices; want {wanted}")
    _check_shapes(path, kind, found)
    return _model(path, kind, found)


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return _needed(path, file.files, file.__getitem__)
    except (OSError, zipfile.BadZipFile, EOFError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path} is not a .npz file of plain arrays ({error}); docs/head-models.md has how to convert"
        ) from error


def _read_safetensors(path: Path) -> dict[str, NDArray[Any]]:
    found, _ = read_arrays(path, "safetensors file of SMPL-X or FLAME")
    return _needed(path, list(found), found.__getitem__)


def _needed(path: Path, names: list[str], get: Callable[[str], NDArray[Any]]) -> dict[str, NDArray[Any]]:
    missing = [key for key in _KEYS if key not in names]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}; want {', '.join(_KEYS)}, as SMPL-X and FLAME have them")
    return {key: np.asarray(get(key)) for key in _KEYS}


def _check_shapes(path: Path, kind: Kind, found: dict[str, NDArray[Any]]) -> None:
    layout = LAYOUTS[kind]
    v, j = layout.vertices, layout.joints
    p = 9 * (j - 1)
    wanted: dict[str, tuple[tuple[int, ...], ...]] = {
        "v_template": ((v, 3),), "shapedirs": ((v, 3, SHAPES + EXPRESSIONS),), "posedirs": ((v, 3, p), (v * 3, p)),
        "J_regressor": ((j, v),), "kintree_table": ((2, j),), "weights": ((v, j),), "f": ((layout.faces, 3),),
    }  # fmt: skip
    for key, shapes in wanted.items():
        if found[key].shape not in shapes:
            raise InputError(f"{path} has {key} of shape {found[key].shape}; want {shapes[0]} for {kind}")
        if found[key].dtype.kind not in "fiu" or not np.isfinite(found[key]).all():
            raise InputError(f"{path} has {key} of {found[key].dtype} or with NaN; want finite numbers")
    faces = found["f"]
    if faces.min() < 0 or faces.max() >= v:
        raise InputError(f"{path} has faces of vertices {faces.min()} to {faces.max()}; want 0 to {v - 1}")
    total = found["weights"].sum(axis=1)
    if np.abs(total - 1.0).max() > 1e-3:
        raise InputError(f"{path} has skinning weights that sum to {total.min():.3g} to {total.max():.3g}; want 1")


def _model(path: Path, kind: Kind, found: dict[str, NDArray[Any]]) -> ModelFile:
    layout = LAYOUTS[kind]

    def f32(values: NDArray[Any]) -> Float:
        return np.ascontiguousarray(values, np.float32)

    basis = f32(np.moveaxis(found["shapedirs"], 2, 0))
    correctives = f32(np.moveaxis(found["posedirs"].reshape(layout.vertices, 3, -1), 2, 0))
    regressor, template = f32(found["J_regressor"]), f32(found["v_template"])
    weights, faces = f32(found["weights"]), np.ascontiguousarray(found["f"], np.int32)
    parents = (-1, *(int(p) for p in found["kintree_table"][0, 1:]))
    for joint, parent in enumerate(parents[1:], start=1):
        if not 0 <= parent < joint:
            raise InputError(f"{path} has {parent} as the parent of joint {joint}; want a joint before it")
    left, right = (regressor[layout.at[side]] @ template for side in ("eye_left", "eye_right"))
    if not 0.02 < left[0] - right[0] < 0.2:
        raise InputError(
            f"{path} has its left eye {left[0] - right[0]:.3g} to the left of its right one; want metres, x to the "
            "subject's left, y up, z out of the face"
        )
    arrays = {
        "template": template, "basis": basis, "pose_correctives": correctives, "joint_regressor": regressor,
        "weights": weights, "faces": faces,
    }  # fmt: skip
    digest = hashlib.sha256()
    for array in (*arrays.values(), np.asarray(parents, np.int32)):
        digest.update(array.tobytes())
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    shapes, expressions = tensors.pop("basis").split([SHAPES, EXPRESSIONS])
    return ModelFile(
        kind, shapes=shapes, expressions=expressions, parents=parents, digest=digest.hexdigest(), **tensors
    )
