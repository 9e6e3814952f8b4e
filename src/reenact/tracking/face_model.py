# SPDX-License-Identifier: Apache-2.0
"""The head as the fit sees it: 478 landmarks, their motion by action and gaze, and what identity does to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reenact.head.gaze import LOOK_ACTIONS, LOOK_BOUND, gaze_rotations, look_activations
from reenact.head.model import HeadModel
from reenact.head.rig import Rig

from .scheme import IRIS


@dataclass(frozen=True)
class LandmarkModel:
    """Landmarks of one rig, float32, canonical head space, metres."""

    neutral: Tensor  # [478, 3]
    actions: Tensor  # [52, 478, 3]
    normals: Tensor  # [478, 3] outward, of the neutral
    eyes: Tensor  # [2, 3] eyeball centres
    gaze_limits: Tensor  # [2, 4]
    size: float  # root mean square radius of the landmarks, the unit of the face's own scale


def landmark_model(rig: Rig, placement: np.ndarray | None = None) -> LandmarkModel:
    """Restrict a rig to its landmarks, shifted by `placement` [478, 3] metres (see placement.py)."""
    top = rig.topology
    faces = top.faces
    v = rig.neutral
    flat = np.cross(v[faces[:, 1]] - v[faces[:, 0]], v[faces[:, 2]] - v[faces[:, 0]])
    normal = np.zeros_like(v)
    for corner in range(3):
        np.add.at(normal, faces[:, corner], flat)
    normals = top.landmarks(normal)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    neutral = top.landmarks(v)
    if placement is not None:
        neutral = neutral + placement
    return LandmarkModel(
        torch.from_numpy(neutral.astype(np.float32)),
        torch.from_numpy(top.landmarks(rig.actions).astype(np.float32)),
        torch.from_numpy(normals.astype(np.float32)),
        torch.from_numpy(rig.joints.eyes.astype(np.float32)),
        torch.from_numpy(rig.gaze_limits),
        float(np.sqrt(((neutral - neutral.mean(axis=0)) ** 2).sum(axis=1).mean())),
    )


def identity_landmarks(model: HeadModel, count: int) -> Tensor:
    """[count, 478, 3] motion of the landmarks by the first identity components."""
    top = model.topology
    vertices, where = np.unique(top.landmark_vertices, return_inverse=True)
    _, basis = model.identity_basis(vertices.astype(np.int32))
    corners = basis[:count][:, where.reshape(-1, 3)]
    return torch.from_numpy(np.einsum("klvc,lv->klc", corners, top.landmark_weights).astype(np.float32))


def look_codes(gaze: Tensor, limits: Tensor) -> tuple[Tensor, Tensor]:
    """eyeLook activations [F, 8] (left In, Out, Up, Down, right ...) and their derivative [F, 8, 2, 2] by gaze."""
    sign = torch.tensor([1.0, -1.0])
    look = look_activations(gaze, limits)  # [F, 2, 4]
    active = ((look > 0) & (look < LOOK_BOUND)).float() / limits
    slope = torch.zeros(len(gaze), 2, 4, 2, 2)
    for eye in range(2):
        slope[:, eye, 0, eye, 0] = -sign[eye] * active[:, eye, 0]
        slope[:, eye, 1, eye, 0] = sign[eye] * active[:, eye, 1]
        slope[:, eye, 2, eye, 1] = active[:, eye, 2]
        slope[:, eye, 3, eye, 1] = -active[:, eye, 3]
    return look.flatten(1), slope.flatten(1, 2)


def canonical_landmarks(model: LandmarkModel, expression: Tensor, gaze: Tensor) -> tuple[Tensor, Tensor]:
    """Landmarks [F, 478, 3] of codes [F, 52] and gaze [F, 2, 2], and their derivative [F, 478, 3, 4] by gaze."""
    look, slope = look_codes(gaze, model.gaze_limits)
    columns = [i for eye in LOOK_ACTIONS for i in eye]
    codes = expression.clone()
    codes[:, columns] = look
    points = model.neutral + torch.einsum("fa,alc->flc", codes, model.actions)
    by_gaze = torch.einsum("faij,alc->flcij", slope, model.actions[columns])
    yaw, pitch = gaze[..., 0], gaze[..., 1]
    cy, sy, cp, sp = yaw.cos(), yaw.sin(), pitch.cos(), pitch.sin()
    zero = torch.zeros_like(cy)

    def matrix(rows: list[list[Tensor]]) -> Tensor:
        return torch.stack([torch.stack(r, dim=-1) for r in rows], dim=-2)  # [F, 2, 3, 3]

    turn = gaze_rotations(gaze)
    d_yaw = matrix([[-sy, -cy * sp, cy * cp], [zero, zero, zero], [-cy, sy * sp, -sy * cp]])
    d_pitch = matrix([[zero, -sy * cp, -sy * sp], [zero, -sp, cp], [zero, -cy * cp, -cy * sp]])
    for eye, rows in enumerate(IRIS):
        rest = model.neutral[list(rows)] - model.eyes[eye]
        points[:, rows] = torch.einsum("fij,lj->fli", turn[:, eye], rest) + model.eyes[eye]
        by_gaze[:, rows, :, eye, 0] = torch.einsum("fij,lj->fli", d_yaw[:, eye], rest)
        by_gaze[:, rows, :, eye, 1] = torch.einsum("fij,lj->fli", d_pitch[:, eye], rest)
    return points, by_gaze.flatten(3)
