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
    R_ray_head: Tensor  # [F, 3, 3] rotation relative to the line of sight, of the Gaussian prior on each frame's pose
    rotation_precision: Tensor  # [F, 3] about the axes of the line of sight, 0 where nothing is known

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
    # The residual's derivative by a point's place in camera space, then by its place in the head's: [F, 478, 2, 3].
    by_place = torch.cat([torch.eye(2).expand(*xy.shape, 2), -xy[..., None]], dim=3) * (scale / z)[..., None]
    by_canonical = by_place @ p.rotation[:, None]
    facing = _facing(model, p, cam)
    weight = (obs.point_weights * facing * EFFECTIVE_SHARE).sqrt() / LANDMARK_SIGMA
    a, b = torch.from_numpy(DIFFERENCES).unbind(1)
    pair = (
        obs.difference_weights * torch.minimum(facing[:, a], facing[:, b]) * EFFECTIVE_SHARE
    ).sqrt() / LANDMARK_SIGMA

    def rows(parts: list[Tensor]) -> Tensor:
        """Columns [F, 478, 2, n] of several parts -> weighted rows [F, 2 (478 + D), n of all]."""
        out = torch.empty(len(p), len(a) + xy.shape[1], 2, sum(x.shape[3] for x in parts))
        start = 0
        for x in parts:
            columns = slice(start, start := start + x.shape[3])
            torch.mul(x, weight[..., None, None], out=out[:, : xy.shape[1], :, columns])
            torch.mul(x[:, a] - x[:, b], pair[..., None, None], out=out[:, xy.shape[1] :, :, columns])
        return out.flatten(1, 2)

    def moved(basis: Tensor) -> Tensor:
        """Motion of the landmarks [C, 478, 3] in the head's space -> columns [F, 478, 2, C]: one product a landmark."""
        by_landmark = by_canonical.transpose(0, 1).reshape(xy.shape[1], -1, 3)
        return (by_landmark @ basis.permute(1, 2, 0)).view(xy.shape[1], len(p), 2, -1).transpose(0, 1)

    residual = xy * scale - obs.points / obs.face_px[:, None, None]
    columns = [-by_place @ skew(turned), by_place, moved(model.actions[free]), by_canonical @ by_gaze]
    shared = None if identity is None else rows([moved(identity), (xy * scale)[..., None]])
    return Linearised(rows([residual[..., None]])[..., 0], rows(columns), shared)


def _facing(model: LandmarkModel, p: FrameParameters, cam: Tensor) -> Tensor:
    """[F, 478] trust in a point: 1 seen from in front, falling to 0.03 where the surface turns away."""
    normal = model.normals @ p.rotation.transpose(1, 2)
    ray = cam / cam.norm(dim=-1, keepdim=True)
    cosine = -(normal * ray).sum(-1)
    return ((cosine + 0.1) / 0.4).clamp(0.03, 1.0)
