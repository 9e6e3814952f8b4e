# SPDX-License-Identifier: Apache-2.0
"""The head as the fit sees it: 478 landmarks, their motion by action and gaze, and what identity does to them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reenact.head.gaze import LOOK_ACTIONS, gaze_rotation_derivatives, look_derivatives
from reenact.head.landmarks import IRIS
from reenact.head.mesh import rms_radius, summed_normals
from reenact.head.model import ParametricHead, Topology
from reenact.head.shape import HeadShape, deform


@dataclass(frozen=True)
class LandmarkModel:
    """Landmarks of one head, float32, canonical head space, metres."""

    neutral: Tensor  # [478, 3]
    actions: Tensor  # [52, 478, 3]
    normals: Tensor  # [478, 3] outward, of the neutral
    eyes: Tensor  # [2, 3] eyeball centres
    gaze_limits: Tensor  # [2, 4]
    size: float  # root mean square radius of the landmarks, the unit of the face's own scale


def landmark_model(head: HeadShape, placement: Tensor | None = None) -> LandmarkModel:
    """Restrict a head to its landmarks, shifted by `placement` [478, 3] metres (see placement.py)."""
    return at_landmarks(head.topology, head.neutral, head.actions, head.eyes, head.gaze_limits, placement)


def at_landmarks(
    top: Topology,
    neutral: Tensor,
    actions: Tensor,
    eyes: Tensor,
    gaze_limits: Tensor,
    placement: Tensor | None = None,
) -> LandmarkModel:
    """Make the landmarks of a head given by its neutral [V, 3] and actions [52, V, 3], see `HeadShape`."""
    normals = top.at_landmarks(summed_normals(neutral[None], top.faces)[0])
    points = top.at_landmarks(neutral)
    if placement is not None:
        points = points + placement
    normals = normals / (normals.norm(dim=1, keepdim=True) + 1e-12)
    size = float(rms_radius(points.numpy()))
    return LandmarkModel(points, top.at_landmarks(actions), normals, eyes, gaze_limits, size)


def identity_landmarks(model: ParametricHead, count: int) -> Tensor:
    """[count, 478, 3] motion of the landmarks by the first identity components."""
    return model.topology.at_landmarks(model.identity_basis()[1][:count])


def canonical_landmarks(model: LandmarkModel, expression: Tensor, gaze: Tensor) -> tuple[Tensor, Tensor]:
    """Landmarks [F, 478, 3] of codes [F, 52] and gaze [F, 2, 2], and their derivative [F, 478, 3, 4] by gaze."""
    left, right = (torch.tensor(rows) for rows in IRIS)
    points = deform(model.neutral, model.actions, model.eyes, model.gaze_limits, (left, right), expression, gaze)

    look, turn = look_derivatives(gaze, model.gaze_limits), gaze_rotation_derivatives(gaze)
    by_gaze = points.new_zeros(*points.shape, 2, 2)
    for eye, rows in enumerate((left, right)):
        lids = model.actions[list(LOOK_ACTIONS[eye])]
        by_gaze[..., eye, :] = torch.einsum("fij,ilc->flcj", look[:, eye], lids)
        by_gaze[:, rows, :, eye] = torch.einsum("fjic,lc->flij", turn[:, eye], model.neutral[rows] - model.eyes[eye])
    return points, by_gaze.flatten(3)
