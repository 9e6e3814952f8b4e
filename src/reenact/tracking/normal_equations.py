# SPDX-License-Identifier: Apache-2.0
"""Gauss-Newton normal equations of the landmark fit, for all frames of a chunk at once.

A frame has 6 + A + 4 unknowns: a rotation (left increment, radians), a translation (metres), the A free actions and
two gaze angles an eye.  A clip shares identity coefficients and the logarithm of the focal length.
Residuals are in units of the face's size in the picture, so that weights mean the same at every resolution.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from .face_model import LandmarkModel, canonical_landmarks
from .scheme import DIFFERENCES

POSE = 6
LANDMARK_SIGMA = 0.006  # of the face's size: what a good fit leaves (see DESIGN's measured 0.6 %)
# The 478 points come from one smooth network: their errors are shared, so they count as far fewer observations.
EFFECTIVE_SHARE = 0.02


@dataclass(frozen=True)
class FrameParameters:
    """Unknowns of F frames."""

    rotation: Tensor  # [F, 3, 3] R_cam_head
    translation: Tensor  # [F, 3] t_cam_head, metres
    expression: Tensor  # [F, 52]
    gaze: Tensor  # [F, 2, 2] radians

    def __len__(self) -> int:
        return len(self.rotation)

    def rows(self, index: slice | Tensor) -> FrameParameters:
        return FrameParameters(self.rotation[index], self.translation[index], self.expression[index], self.gaze[index])

    def stepped(self, step: Tensor, free: list[int], bounds: Tensor) -> FrameParameters:
        """Apply increments [F, 6 + A + 4]; codes are clamped to [0, bounds [A]]."""
        expression = self.expression.clone()
        expression[:, free] = torch.minimum(
            (expression[:, free] + step[:, POSE : POSE + len(free)]).clamp(min=0.0), bounds
        )
        gaze = (self.gaze + step[:, POSE + len(free) :].reshape(-1, 2, 2)).clamp(-0.9, 0.9)
        turn = torch.linalg.matrix_exp(skew(step[:, :3]))
        return replace(
            self,
            rotation=turn @ self.rotation,
            translation=self.translation + step[:, 3:6],
            expression=expression,
            gaze=gaze,
        )


def skew(v: Tensor) -> Tensor:
    """[..., 3] -> [..., 3, 3] cross-product matrices."""
    x, y, z = v.unbind(-1)
    zero = torch.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return torch.stack([torch.stack(r, dim=-1) for r in rows], dim=-2)


@dataclass(frozen=True)
class Observations:
    """Detected landmarks of F frames, and what is known of their expression."""

    points: Tensor  # [F, 478, 2] px relative to the principal point
    face_px: Tensor  # [F] root mean square radius of the face's landmarks, px
    point_weights: Tensor  # [F, 478]
    difference_weights: Tensor  # [F, D]
    code_mean: Tensor  # [F, 52] of the Gaussian prior on each frame's expression codes
    code_precision: Tensor  # [F, 52]

    def rows(self, index: slice | Tensor) -> Observations:
        return Observations(*(getattr(self, f.name)[index] for f in fields(self)))


@dataclass(frozen=True)
class Linearised:
    """Weighted residuals and Jacobians: rows are x, y of the points, then of the differences."""

    residual: Tensor  # [F, R]
    by_frame: Tensor  # [F, R, 6 + A + 4]
    by_shared: Tensor | None  # [F, R, K + 1]


def project(model: LandmarkModel, p: FrameParameters, focal: float) -> Tensor:
    """[F, 478, 2] px relative to the principal point."""
    points, _ = canonical_landmarks(model, p.expression, p.gaze)
    cam = points @ p.rotation.transpose(1, 2) + p.translation[:, None]
    return focal * cam[..., :2] / cam[..., 2:]


def linearise(
    model: LandmarkModel,
    p: FrameParameters,
    obs: Observations,
    focal: float,
    free: list[int],
    identity: Tensor | None,
) -> Linearised:
    """Residuals (predicted minus seen) and their derivatives at `p`."""
    points, by_gaze = canonical_landmarks(model, p.expression, p.gaze)
    turned = points @ p.rotation.transpose(1, 2)
    cam = turned + p.translation[:, None]
    z = cam[..., 2:]
    xy = cam[..., :2] / z
    scale = (focal / obs.face_px)[:, None, None]

    def onto_picture(d: Tensor) -> Tensor:
        """Derivatives in camera space [F, 478, 3, P] -> of the residual [F, 478, 2, P]."""
        return (d[:, :, :2] - xy[..., None] * d[:, :, 2:]) * (scale / z)[..., None]

    rotate = p.rotation[:, None]
    by_action = torch.einsum("fij,alj->flia", p.rotation, model.actions[free])
    eye3 = torch.eye(3).expand(*turned.shape[:2], 3, 3)
    columns = torch.cat([-skew(turned), eye3, by_action, rotate @ by_gaze], dim=3)
    jacobian = onto_picture(columns)
    residual = xy * scale - obs.points / obs.face_px[:, None, None]
    facing = _facing(model, p, cam)
    weight = (obs.point_weights * facing * EFFECTIVE_SHARE).sqrt() / LANDMARK_SIGMA
    a, b = torch.from_numpy(DIFFERENCES).unbind(1)
    pair = (
        obs.difference_weights * torch.minimum(facing[:, a], facing[:, b]) * EFFECTIVE_SHARE
    ).sqrt() / LANDMARK_SIGMA

    def rows(x: Tensor) -> Tensor:
        """[F, 478, 2, ...] -> weighted rows [F, 2 (478 + D), ...]."""
        extra = (1,) * (x.dim() - 2)
        both = torch.cat(
            [x * weight.view(*weight.shape, *extra), (x[:, a] - x[:, b]) * pair.view(*pair.shape, *extra)], 1
        )
        return both.flatten(1, 2)

    shared = None
    if identity is not None:
        by_identity = onto_picture(torch.einsum("fij,klj->flik", p.rotation, identity))
        by_focal = (xy * scale)[..., None]
        shared = rows(torch.cat([by_identity, by_focal], dim=3))
    return Linearised(rows(residual), rows(jacobian), shared)


def _facing(model: LandmarkModel, p: FrameParameters, cam: Tensor) -> Tensor:
    """[F, 478] trust in a point: 1 seen from in front, falling to 0.03 where the surface turns away."""
    normal = model.normals @ p.rotation.transpose(1, 2)
    ray = cam / cam.norm(dim=-1, keepdim=True)
    cosine = -(normal * ray).sum(-1)
    return ((cosine + 0.1) / 0.4).clamp(0.03, 1.0)
