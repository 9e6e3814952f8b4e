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
_PAIRS = torch.from_numpy(DIFFERENCES).long().unbind(1)
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
    """Residuals (predicted minus seen) of the landmarks, their derivatives, and how much they count."""

    residual: Tensor  # [F, 478, 2]
    by_frame: Tensor  # [F, 478, 2, 6 + A + 4]
    by_place: Tensor  # [F, 478, 2, 3] by the landmark's place in the head's space
    by_focal: Tensor  # [F, 478, 2] by the logarithm of the focal length
    point_precision: Tensor  # [F, 478]
    difference_precision: Tensor  # [F, D]


@dataclass(frozen=True)
class FrameEquations:
    """Of each frame: half the squared error is g x + x H x / 2 in its unknowns."""

    gradient: Tensor  # [F, n]
    hessian: Tensor  # [F, n, n]


@dataclass(frozen=True)
class JointEquations(FrameEquations):
    """Likewise of the unknowns that all frames share, summed over frames: S coefficients, then the focal length."""

    cross: Tensor  # [F, n, S + 1]
    shared_gradient: Tensor  # [S + 1]
    shared_hessian: Tensor  # [S + 1, S + 1]


def project(model: LandmarkModel, p: FrameParameters, focal: float) -> Tensor:
    """[F, 478, 2] px relative to the principal point."""
    points, _ = canonical_landmarks(model, p.expression, p.gaze)
    cam = points @ p.rotation.transpose(1, 2) + p.translation[:, None]
    return focal * cam[..., :2] / cam[..., 2:]


def linearise(model: LandmarkModel, p: FrameParameters, obs: Observations, focal: float, free: list[int]) -> Linearised:
    """Linearise the residuals at `p`; how much they count follows the pose, which Gauss-Newton leaves out."""
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
    a, b = _PAIRS
    share = EFFECTIVE_SHARE / LANDMARK_SIGMA**2
    # One product a landmark: its motion by each action [3, A] is the same in all frames.
    by_landmark = by_canonical.transpose(0, 1).reshape(xy.shape[1], -1, 3)
    by_action = (by_landmark @ model.actions[free].permute(1, 2, 0)).view(xy.shape[1], len(p), 2, -1).transpose(0, 1)
    return Linearised(
        residual=xy * scale - obs.points / obs.face_px[:, None, None],
        by_frame=torch.cat([-by_place @ skew(turned), by_place, by_action, by_canonical @ by_gaze], dim=3),
        by_place=by_canonical,
        by_focal=xy * scale,
        point_precision=obs.point_weights * facing * share,
        difference_precision=obs.difference_weights * torch.minimum(facing[:, a], facing[:, b]) * share,
    )


def frame_equations(lin: Linearised) -> FrameEquations:
    """Normal equations of every frame for itself."""
    columns = torch.cat([lin.by_frame, lin.residual[..., None]], dim=3)
    both = _products(columns, _counted(columns, lin))
    return FrameEquations(both[:, :-1, -1], both[:, :-1, :-1])


def joint_equations(lin: Linearised, basis: Tensor) -> JointEquations:
    """Normal equations of all frames with what they share.

    basis: [S, 478, 3] motion of the landmarks in the head's space by each shared coefficient. The derivatives by those
    are never made for all frames: they are `by_place @ basis`, so that sums over frames go before the basis.
    """
    frames, landmarks = lin.by_focal.shape[:2]
    columns = torch.cat([lin.by_frame, lin.by_focal[..., None], lin.residual[..., None]], dim=3)
    counted = _counted(columns, lin)
    both = _products(columns, counted)
    flat = basis.permute(1, 2, 0).flatten(0, 1).contiguous()  # [478 * 3, S]
    # [F, 478, m, 2] @ [F, 478, 2, 3], then one product with the basis for all frames and columns.
    by_place = (counted.transpose(2, 3) @ lin.by_place).permute(0, 2, 1, 3).reshape(-1, 3 * landmarks)
    by_basis = (by_place @ flat).view(frames, columns.shape[3], -1)
    of_focal, of_residual = by_basis[:, -2].sum(dim=0), by_basis[:, -1].sum(dim=0)
    focal = both[:, -2].sum(dim=0)
    hessian = torch.cat([_basis_products(lin, flat.view(landmarks, 3, -1)), of_focal[None]])
    hessian = torch.cat([hessian, torch.cat([of_focal, focal[-2:-1]])[:, None]], dim=1)
    return JointEquations(
        gradient=both[:, :-2, -1],
        hessian=both[:, :-2, :-2],
        cross=torch.cat([by_basis[:, :-2], both[:, :-2, -2:-1]], dim=2),
        shared_gradient=torch.cat([of_residual, focal[-1:]]),
        shared_hessian=hessian,
    )


def _counted(columns: Tensor, lin: Linearised) -> Tensor:
    """Multiply columns [F, 478, 2, m] by the precisions of points and of differences."""
    out = columns * lin.point_precision[..., None, None]
    a, b = _PAIRS
    apart = (columns[:, a] - columns[:, b]) * lin.difference_precision[..., None, None]
    return out.index_add_(1, a, apart).index_add_(1, b, apart, alpha=-1)


def _products(columns: Tensor, counted: Tensor) -> Tensor:
    """[F, 478, 2, m] of both -> [F, m, m]."""
    return columns.flatten(1, 2).transpose(1, 2) @ counted.flatten(1, 2)


def _basis_products(lin: Linearised, basis: Tensor) -> Tensor:
    """Hessian [S, S] of the coefficients of a basis [478, 3, S], summed over frames."""
    a, b = _PAIRS

    def summed(one: Tensor, other: Tensor, precision: Tensor) -> Tensor:
        """Sum of precision x one' other over frames: [F, L, 2, 3] of both -> [L, 3, 3]."""
        left = (one * precision[..., None, None]).transpose(0, 1).flatten(1, 2)
        return left.transpose(1, 2) @ other.transpose(0, 1).flatten(1, 2)

    moved = summed(lin.by_place, lin.by_place, lin.point_precision) @ basis
    first, second, pair = lin.by_place[:, a], lin.by_place[:, b], lin.difference_precision
    mixed = summed(first, second, pair)
    moved.index_add_(0, a, summed(first, first, pair) @ basis[a] - mixed @ basis[b])
    moved.index_add_(0, b, summed(second, second, pair) @ basis[b] - mixed.transpose(1, 2) @ basis[a])
    return basis.flatten(0, 1).T @ moved.flatten(0, 1)


def _facing(model: LandmarkModel, p: FrameParameters, cam: Tensor) -> Tensor:
    """[F, 478] trust in a point: 1 seen from in front, falling to 0.03 where the surface turns away."""
    normal = model.normals @ p.rotation.transpose(1, 2)
    ray = cam / cam.norm(dim=-1, keepdim=True)
    cosine = -(normal * ray).sum(-1)
    return ((cosine + 0.1) / 0.4).clamp(0.03, 1.0)
