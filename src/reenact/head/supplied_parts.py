# SPDX-License-Identifier: Apache-2.0
"""The head cut out of a user's SMPL-X or FLAME (experimental): vertices, eyeballs, and what turns with the head."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reenact.media import InputError

from .closest import Float64, Index
from .model import Float
from .model_file import ModelFile

_HEAD = ("neck", "head", "jaw", "eye_left", "eye_right")
_OF_HEAD = 0.1
"""A body's vertex belongs to the head where its joints from the neck upwards have at least that much weight."""
_NECK_TURNS = 0.5  # of the head's turn: a body has one neck joint, and heads turn by it and by the skull's alike


@dataclass(frozen=True)
class Parts:
    """Of V vertices and F triangles of the head; N skin vertices and G skin triangles among them."""

    rows: Index  # [V] in the file
    faces: Index  # [F, 3] into rows; skin first
    neutral: Float64  # [V, 3] the template, canonical: origin midway between the eyes, metres
    eyes: Float64  # [2, 3] eyeball centres, subject's left first
    eyeballs: tuple[Index, Index]  # vertices of the left and the right one
    skin: Index  # [N] vertices that are not eyeball
    skin_faces: Index  # [G, 3] into rows
    head_weight: Float  # [V] see Topology.head_weight
    jaw_weight: Float  # [V]


def parts_of(file: ModelFile) -> Parts:
    """Cut by skinning weights. Raises InputError where there are no two eyeballs that turn with their joints."""
    at, weights, triangles = file.layout.at, file.weights.numpy(), file.faces.numpy()
    body = file.kind == "smplx"
    rows = np.arange(len(weights))
    if body:
        rows = np.flatnonzero(weights[:, [at[name] for name in _HEAD]].sum(axis=1) > _OF_HEAD)
    inside = np.isin(triangles, rows).all(axis=1)
    rows = np.unique(triangles[inside]).astype(np.int64)
    faces = np.searchsorted(rows, triangles[inside]).astype(np.int64)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    if np.unique(edges, axis=0, return_counts=True)[1].max() > 2:
        raise InputError(f"the {file.kind} model's head has an edge with more than two triangles; want a surface")
    own = weights[rows]
    left, right = (own[:, at[name]] > 0.5 for name in ("eye_left", "eye_right"))
    of_eye = (left | right)[faces].all(axis=1)
    balls = np.unique(faces[of_eye])
    eyeballs = balls[left[balls]], balls[right[balls]]
    if min(len(ball) for ball in eyeballs) < 20:
        raise InputError(
            f"the {file.kind} model has {len(eyeballs[0])} and {len(eyeballs[1])} vertices that turn with its eye "
            "joints; want two eyeballs"
        )
    joints = (file.joint_regressor @ file.template).double().numpy()
    eyes = joints[[at["eye_left"], at["eye_right"]]]
    origin = eyes.mean(axis=0)
    turning = 1.0 - own[:, at["neck"]] if not body else own[:, [at[n] for n in _HEAD[1:]]].sum(axis=1)
    if body:
        turning = turning + _NECK_TURNS * own[:, at["neck"]]
    return Parts(
        rows,
        np.concatenate([faces[~of_eye], faces[of_eye]]),
        file.template[rows].double().numpy() - origin,
        eyes - origin,
        eyeballs,
        np.unique(faces[~of_eye]),
        faces[~of_eye],
        np.clip(turning, 0.0, 1.0).astype(np.float32),
        own[:, at["jaw"]],
    )
