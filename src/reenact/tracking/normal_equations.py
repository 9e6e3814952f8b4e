# SPDX-License-Identifier: Apache-2.0
"""Gauss-Newton normal equations of the landmark fit, for all frames of a chunk at once.

A frame has 6 + A + 4 unknowns: a rotation (left increment, radians), a translation (metres), the A free actions and
two gaze angles an eye.  A clip shares identity coefficients and the logarithm of the focal length.
Residuals are in units of the face's size in the picture, so that weights mean the same at every resolution.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from reenact.head.motion import Motion

from .face_model import LandmarkModel, canonical_landmarks
from .scheme import DIFFERENCES

POSE = 6
_PAIRS = DIFFERENCES.unbind(1)


def stepped(p: Motion, step: Tensor, free: list[int], bounds: Tensor) -> Motion:
    """Apply increments [F, 6 + A + 4] to F frames; codes are clamped to [0, bounds [A]]."""
    expression = p.expression.clone()
    expression[:, free] = torch.minimum((expression[:, free] + step[:, POSE : POSE + len(free)]).clamp(min=0.0), bounds)
    return p.replace(
        expression=expression,
        gaze=(p.gaze + step[:, POSE + len(free) :].reshape(-1, 2, 2)).clamp(-0.9, 0.9),
        rotation=torch.linalg.matrix_exp(_skew(step[:, :3])) @ p.rotation,
        translation=p.translation + step[:, 3:6],
    )


def _skew(v: Tensor) -> Tensor:
    """Make cross-product matrices [..., 3, 3] of vectors [..., 3]."""
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
    """Residuals (predicted minus seen) of the landmarks, their derivatives, and how much they count.

    Landmarks come last, so that what is done to all of them at once lies together in memory.
    """

    columns: Tensor  # [F, 6 + A + 4 + 2, 2, 478] by the frame's unknowns; the residual; by the focal length's logarithm
    by_place: Tensor  # [F, 3, 2, 478] by the landmark's place in the head's space
    point_precision: Tensor  # [F, 478]
    difference_precision: Tensor  # [F, D]

    @property
    def by_frame(self) -> Tensor:
        """[F, 6 + A + 4, 2, 478]."""
        return self.columns[:, :-2]

    @property
    def residual(self) -> Tensor:
        """[F, 2, 478]."""
        return self.columns[:, -2]

    @property
    def by_focal(self) -> Tensor:
        """[F, 2, 478]."""
        return self.columns[:, -1]


@dataclass(frozen=True)
class JointEquations:
    """Normal equations of F frames with the S + 1 unknowns they share, summed over frames: coefficients, focal length.

    Half the squared error is g x + x H x / 2 in the unknowns.
    """

    gradient: Tensor  # [F, n] by each frame's own unknowns
    hessian: Tensor  # [F, n, n]
    cross: Tensor  # [F, n, S + 1]
    shared_gradient: Tensor  # [S + 1]
    shared_hessian: Tensor  # [S + 1, S + 1]


def project(model: LandmarkModel, p: Motion, focal: float) -> Tensor:
    """Project the landmarks [F, 478, 2], px relative to the principal point."""
    points, _ = canonical_landmarks(model, p.expression, p.gaze)
    cam = points @ p.rotation.transpose(1, 2) + p.translation[:, None]
    return focal * cam[..., :2] / cam[..., 2:]


def linearise(model: LandmarkModel, p: Motion, obs: Observations, focal: float, free: list[int]) -> Linearised:
    """Linearise the residuals at `p`; how much they count follows the pose, which Gauss-Newton leaves out."""
    points, by_gaze = canonical_landmarks(model, p.expression, p.gaze)
    turned = points @ p.rotation.transpose(1, 2)
    cam = turned + p.translation[:, None]
    z = cam[..., 2]
    xy = (cam[..., :2] / cam[..., 2:]).transpose(1, 2)  # [F, 2, 478]
    scale = (focal / obs.face_px)[:, None]
    a = len(free)
    columns = torch.empty(len(p), POSE + a + 4 + 2, *xy.shape[1:])
    # By a point's place in camera space, then by its place in the head's.
    by_camera = columns[:, 3:POSE]  # [F, 3, 2, 478]
    by_camera.zero_()
    by_camera[:, 0, 0] = by_camera[:, 1, 1] = scale / z
    torch.mul(xy, -(scale / z)[:, None], out=by_camera[:, 2])
    by_place = (p.rotation.transpose(1, 2) @ by_camera.flatten(2)).view_as(by_camera)
    # A turn about axis k moves a point along k x point.
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        torch.mul(by_camera[:, j], turned[:, None, :, i], out=columns[:, k])
        columns[:, k].addcmul_(by_camera[:, i], turned[:, None, :, j], value=-1)
    _chained(by_place, model.actions[free].transpose(1, 2)[None], columns[:, POSE : POSE + a])
    _chained(by_place, by_gaze.permute(0, 3, 2, 1), columns[:, POSE + a : -2])
    torch.sub(xy * scale[..., None], (obs.points / obs.face_px[:, None, None]).transpose(1, 2), out=columns[:, -2])
    torch.mul(xy, scale[..., None], out=columns[:, -1])
    facing = _facing(model, p, cam)
    first, second = _PAIRS
    # A good fit leaves 0.6 % of the face's size. The 478 points come from one smooth network: their errors are shared,
    # so that they count as far fewer observations.
    share = 0.02 / 0.006**2
    return Linearised(
        columns,
        by_place,
        point_precision=obs.point_weights * facing * share,
        difference_precision=obs.difference_weights * torch.minimum(facing[:, first], facing[:, second]) * share,
    )


def _chained(by_place: Tensor, motion: Tensor, out: Tensor) -> None:
    """Write the derivative [F, m, 2, 478] by what gives landmarks a `motion` [.., m, 3, 478] in the head."""
    torch.mul(by_place[:, None, 0], motion[:, :, 0, None], out=out)
    for k in (1, 2):
        out.addcmul_(by_place[:, None, k], motion[:, :, k, None])


def frame_equations(lin: Linearised) -> tuple[Tensor, Tensor]:
    """Make the normal equations of every frame for itself: gradient [F, n], Hessian [F, n, n]."""
    columns = lin.columns[:, :-1]
    both = _products(columns, _counted(columns, lin))
    return both[:, :-1, -1], both[:, :-1, :-1]


def joint_equations(lin: Linearised, basis: Tensor) -> JointEquations:
    """Make the normal equations of all frames with what they share.

    basis: [S, 478, 3] motion of the landmarks in the head's space by each shared coefficient. The derivatives by those
    are never made for all frames: they are `by_place` times the basis, so sums over frames go before the basis.
    """
    counted = _counted(lin.columns, lin)
    both = _products(lin.columns, counted)
    flat = basis.transpose(1, 2).flatten(1).T.contiguous()  # [3 * 478, S]
    by_place = counted[:, :, 0, None] * lin.by_place[:, None, :, 0]  # [F, n, 3, 478]
    by_place.addcmul_(counted[:, :, 1, None], lin.by_place[:, None, :, 1])
    by_basis = (by_place.view(-1, len(flat)) @ flat).view(*counted.shape[:2], -1)
    of_residual, of_focal = by_basis[:, -2].sum(dim=0), by_basis[:, -1].sum(dim=0)
    focal = both[:, -1].sum(dim=0)
    hessian = torch.cat([_basis_products(lin, flat), of_focal[None]])
    hessian = torch.cat([hessian, torch.cat([of_focal, focal[-1:]])[:, None]], dim=1)
    return JointEquations(
        gradient=both[:, :-2, -2],
        hessian=both[:, :-2, :-2],
        cross=torch.cat([by_basis[:, :-2], both[:, :-2, -1:]], dim=2),
        shared_gradient=torch.cat([of_residual, focal[-2:-1]]),
        shared_hessian=hessian,
    )


def _counted(columns: Tensor, lin: Linearised) -> Tensor:
    """Multiply columns [F, m, 2, 478] by the precisions of points and of differences."""
    out = columns * lin.point_precision[:, None, None]
    a, b = _PAIRS
    apart = (columns[..., a] - columns[..., b]) * lin.difference_precision[:, None, None]
    return out.index_add_(3, a, apart).index_add_(3, b, apart, alpha=-1)


def _products(columns: Tensor, counted: Tensor) -> Tensor:
    """Multiply [F, m, 2, 478] of both to [F, m, m]."""
    return columns.flatten(2) @ counted.flatten(2).transpose(1, 2)


def _basis_products(lin: Linearised, basis: Tensor) -> Tensor:
    """Return the Hessian [S, S] of the coefficients of a basis [3 * 478, S], summed over frames."""
    a, b = _PAIRS
    by_axis = basis.view(3, lin.by_place.shape[3], -1)

    def moved(one: Tensor, other: Tensor, precision: Tensor, landmarks: slice | Tensor) -> Tensor:
        """Sum of precision x one' other over frames, times the basis at some landmarks: [F, 3, 2, L] -> [3, L, S]."""
        weighted = one * precision[:, None, None]
        summed = (weighted[:, :, None] * other[:, None]).sum(dim=(0, 3))  # [3, 3, L]
        return (summed[..., None] * by_axis[None, :, landmarks]).sum(dim=1)

    first, second, pair = lin.by_place[..., a], lin.by_place[..., b], lin.difference_precision
    out = moved(lin.by_place, lin.by_place, lin.point_precision, slice(None))
    out.index_add_(1, a, moved(first, first, pair, a) - moved(first, second, pair, b))
    out.index_add_(1, b, moved(second, second, pair, b) - moved(second, first, pair, a))
    return basis.T @ out.flatten(0, 1)


def _facing(model: LandmarkModel, p: Motion, cam: Tensor) -> Tensor:
    """Return the trust in each point [F, 478]: 1 in frontal view, falling to 0.03 where the surface turns away."""
    normal = model.normals @ p.rotation.transpose(1, 2)
    ray = cam / cam.norm(dim=-1, keepdim=True)
    cosine = -(normal * ray).sum(-1)
    return ((cosine + 0.1) / 0.4).clamp(0.03, 1.0)
