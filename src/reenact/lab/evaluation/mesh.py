# SPDX-License-Identifier: Apache-2.0
"""Millimetres: a system's heads against the true ones, where they are known (people who do not exist).

``PAIR.mesh.safetensors`` lies beside PAIR.mp4, in the open head's topology of V vertices: ``shapes`` [F, V, 3] in a
head's own frame, any unit, without head pose; ``photo`` [V, 3], the same head as it is in the photo; ``R_cam_head``
[F, 3, 3]. The metadata's ``format`` is ``reenact-mesh``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reenact.head.landmarks import FACE_LANDMARKS, LEFT_BROW, LEFT_LIDS, LIPS, RIGHT_BROW, RIGHT_LIDS
from reenact.head.open import open_head
from reenact.head.regions import region_ids
from reenact.media import InputError
from reenact.media.arrays import read_arrays, write_arrays

from .about import About, Value
from .metrics.coefficients import geodesic

Float = NDArray[np.floating]
SUFFIX: Final = ".mesh.safetensors"
FORMAT: Final = "reenact-mesh"
_MM = 1000.0
_PARTS = {
    "face": (tuple(range(FACE_LANDMARKS)), 0.012),
    "mouth": (LIPS, 0.015),
    "eyes": ((*LEFT_LIDS, *RIGHT_LIDS), 0.010),
    "brows": ((*LEFT_BROW, *RIGHT_BROW), 0.010),
}
"""Landmarks of each part, and the distance from them on the base head, metres, within which skin belongs to it."""


@dataclass(frozen=True)
class Heads:
    """What a head does over F frames, its pose apart."""

    shapes: Float  # [F, V, 3]
    photo: Float  # [V, 3]
    R_cam_head: Float  # [F, 3, 3]


def save_heads(heads: Heads, path: Path) -> None:
    """Write a mesh file."""
    tensors = {name: np.asarray(getattr(heads, name), np.float32) for name in ("shapes", "photo", "R_cam_head")}
    write_arrays(path, tensors, {"format": FORMAT, "version": "1", "head": open_head().name})


def load_heads(path: Path) -> Heads:
    """Read a mesh file. Raises InputError, naming the file, if it is none or of another topology."""
    found, about = read_arrays(path, "mesh file")
    head = open_head()
    if about.get("format") != FORMAT or about.get("head") != head.name:
        raise InputError(f"{path} holds {about.get('format')} of {about.get('head')}; want {FORMAT} of {head.name}")
    frames, count = len(found.get("shapes", ())), len(head.base_neutral)
    wanted = {"shapes": (frames, count, 3), "photo": (count, 3), "R_cam_head": (frames, 3, 3)}
    for name, shape in wanted.items():
        if name not in found or found[name].shape != shape or not np.isfinite(found[name]).all():
            raise InputError(f"{path} has no finite {name} of shape {shape}")
    return Heads(found["shapes"], found["photo"], found["R_cam_head"])


def mesh_errors(output: Heads, truth: Heads) -> list[Value]:
    """Compute the errors of F frames in millimetres of the true head, and of the head's rotation in degrees.

    One similarity for the whole clip carries the output's head frame and unit to the truth's: a photo does not tell how
    far away, and so how large, a head is. Motion is what has changed since the photo, so the shape of the resting
    face, wrong or right, drops out; `beside` it, "frozen" is what a face that does not move would get.

    Raises InputError if there are fewer output frames than true ones, or more.
    """
    if len(output.shapes) != len(truth.shapes):
        raise InputError(f"the output has {len(output.shapes)} heads, the truth {len(truth.shapes)}; want as many")
    parts = mesh_parts()
    face = parts["face"]
    frame = _Similarity.between(
        np.concatenate([output.shapes[:, face], output.photo[None, face]]).reshape(-1, 3).astype(np.float64),
        np.concatenate([truth.shapes[:, face], truth.photo[None, face]]).reshape(-1, 3).astype(np.float64),
    )
    shapes, photo = frame(output.shapes.astype(np.float64)), frame(output.photo.astype(np.float64))
    shape_error = np.linalg.norm(shapes - truth.shapes, axis=2) * _MM
    motion, true_motion = shapes - photo, truth.shapes - truth.photo
    motion_error = np.linalg.norm(motion - true_motion, axis=2) * _MM
    still = np.linalg.norm(true_motion, axis=2) * _MM
    by = "vertices of the system's head against the synthetic person's, one similarity a clip"
    out = []
    for name, rows in parts.items():
        units = "mm between vertices, mean over the part and over frames"
        about = About("mesh_mm", name, "lower", units, by)
        series = shape_error[:, rows].mean(axis=1)
        out.append(Value(about, float(series.mean()), series, {"p95": float(np.quantile(shape_error[:, rows], 0.95))}))
        units = "mm between vertices' ways since the photo, mean over the part and over frames"
        about = About("mesh_motion_mm", name, "lower", units, by)
        series = motion_error[:, rows].mean(axis=1)
        beside = {"frozen": float(still[:, rows].mean()), "p95": float(np.quantile(motion_error[:, rows], 0.95))}
        out.append(Value(about, float(series.mean()), series, beside))
    turn = geodesic(output.R_cam_head @ frame.rotation.T, np.asarray(truth.R_cam_head, np.float64))
    about = About("mesh_turn_deg", None, "lower", "degrees between head rotations, mean over frames", by)
    series = np.degrees(turn)
    return [*out, Value(about, float(series.mean()), series)]


def mesh_parts() -> dict[str, NDArray[np.int64]]:
    """Find the vertices of the open head's face and of its mouth, eyes and brows, without teeth and eyeballs."""
    head = open_head()
    base, marks = head.base_neutral.numpy(), head.topology.at_landmarks(head.base_neutral).numpy()
    skin = head.topology.region_vertices(*region_ids("skin", "eyelids", "lips")).numpy()
    out = {}
    for name, (rows, reach_m) in _PARTS.items():
        near = np.linalg.norm(base[skin][:, None] - marks[list(rows)][None], axis=2).min(axis=1) < reach_m
        out[name] = skin[near]
    return out


@dataclass(frozen=True)
class _Similarity:
    scale: float
    rotation: Float  # [3, 3]
    shift: Float  # [3]

    def __call__(self, points: Float) -> Float:
        return self.scale * points @ self.rotation.T + self.shift

    @staticmethod
    def between(source: Float, target: Float) -> _Similarity:
        """Least squares (Umeyama 1991) over points [N, 3]."""
        a, b = source - source.mean(axis=0), target - target.mean(axis=0)
        u, s, vt = np.linalg.svd(b.T @ a)
        sign = np.asarray([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
        rotation = (u * sign) @ vt
        scale = float((s * sign).sum() / (a**2).sum())
        return _Similarity(scale, rotation, target.mean(axis=0) - scale * rotation @ source.mean(axis=0))
