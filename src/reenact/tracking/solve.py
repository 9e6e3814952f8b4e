# SPDX-License-Identifier: Apache-2.0
"""Bounded Gauss-Newton steps: every frame for itself, or all key frames jointly with identity and focal length."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.signal import savgol_filter
from torch import Tensor

from reenact.head.arkit import ACTIONS, action_bounds
from reenact.head.motion import Motion

from .face_model import LandmarkModel
from .normal_equations import POSE, Observations, frame_equations, joint_equations, linearise, stepped
from .priors import FREE_ACTIONS, GAZE_SIGMA, VERGENCE_SIGMA, antagonism

_WINDOW = 7  # frames; quadratic within, so that the peak of a blink or a plosive keeps its height
FREE = list(FREE_ACTIONS)
BOUNDS = torch.from_numpy(action_bounds())[FREE]
_GAZE = POSE + len(FREE)
_ANTAGONISM = antagonism()[FREE][:, FREE]


@dataclass(frozen=True)
class Smoothness:
    """How far a frame may stray from its smoothed trajectory: standard deviations."""

    rotation: float = 0.002  # rad
    translation: float = 0.0007  # m
    action: float = 0.02
    brow: float = 0.05  # at 15 frames/s a raised brow lasts three frames
    blink: float = 0.3  # lids move from open to shut within two frames
    gaze: float = 0.02  # rad

    def sigmas(self) -> Tensor:
        """[6 + A + 4]."""
        own = {"eye": self.blink, "bro": self.brow}
        codes = [own.get(ACTIONS[i][:3], self.action) for i in FREE]
        return torch.tensor([self.rotation] * 3 + [self.translation] * 3 + codes + [self.gaze] * 4)


def prior_terms(p: Motion, obs: Observations, strength: float) -> tuple[Tensor, Tensor]:
    """Gradient [F, n] and Hessian [F, n, n] of the prior on codes, gaze and rotation, times `strength`.

    The price of antagonists is a product, which is not convex.  Of a b = ((a + b)^2 - a^2 - b^2) / 2 the Hessian keeps
    the first, convex part, and the rest counts by its slope: steps that are a little short, but always downhill.
    """
    n = _GAZE + 4
    precision = torch.zeros(n, n)
    codes = torch.arange(POSE, _GAZE)
    gaze = torch.arange(_GAZE, n)
    precision[gaze, gaze] = GAZE_SIGMA**-2
    for axis, spread in enumerate(VERGENCE_SIGMA):
        left, right = _GAZE + axis, _GAZE + 2 + axis
        precision[[left, right], [left, right]] += spread**-2
        precision[[left, right], [right, left]] -= spread**-2
    value = torch.cat([torch.zeros(len(p), POSE), p.expression[:, FREE], p.gaze.flatten(1)], dim=1)
    gradient = value @ precision
    gradient[:, POSE:_GAZE] += value[:, POSE:_GAZE] @ _ANTAGONISM
    precision[POSE:_GAZE, POSE:_GAZE] += _ANTAGONISM + torch.diag(_ANTAGONISM.sum(1))
    mean, by_frame = obs.code_mean[:, FREE], obs.code_precision[:, FREE]
    gradient[:, POSE:_GAZE] += (value[:, POSE:_GAZE] - mean) * by_frame
    hessian = precision.repeat(len(p), 1, 1)
    hessian[:, codes, codes] += by_frame
    # The line of sight goes with the head; over one step it is taken to stand still.
    to_ray = ray_frame(p.translation)
    turned = _log(p.rotation @ (to_ray @ obs.R_ray_head).transpose(1, 2))
    by_turn = to_ray @ torch.diag_embed(obs.rotation_precision) @ to_ray.transpose(1, 2)
    gradient[:, :3] += torch.einsum("fij,fj->fi", by_turn, turned)
    hessian[:, :3, :3] += by_turn
    return gradient * strength, hessian * strength


def ray_frame(translation: Tensor) -> Tensor:
    """Rotations [F, 3, 3] that turn the camera's axis, by the shortest way, to points [F, 3] of its frame."""
    x, y, z = (translation / translation.norm(dim=1, keepdim=True)).unbind(1)
    k = 1.0 / (1.0 + z)
    rows = [[1 - x * x * k, -x * y * k, x], [-x * y * k, 1 - y * y * k, y], [-x, -y, z]]
    return torch.stack([torch.stack(r, dim=1) for r in rows], dim=1)


def _smooth_terms(p: Motion, joined: Tensor, smooth: Smoothness) -> tuple[Tensor, Tensor]:
    """Gradient [F, n] and diagonal [F, n] pulling each frame to a smoothed copy of the present trajectory.

    joined: [F - 1] bool, whether frames i and i + 1 belong to one shot.  A pull towards the mean of the two
    neighbours would be cheaper, but iterated it lets even and odd frames swing against each other.
    """
    flat = torch.cat([p.translation, p.expression[:, FREE], p.gaze.flatten(1)], dim=1)
    target, inner = _filtered(torch.cat([p.rotation.flatten(1), flat], dim=1), joined)
    u, _, vt = torch.linalg.svd(target[:, :9].reshape(-1, 3, 3))
    turn = _log(p.rotation @ (u @ vt).transpose(1, 2))
    weight = smooth.sigmas() ** -2 * inner[:, None]
    return torch.cat([turn, flat - target[:, 9:]], dim=1) * weight, weight


def _filtered(x: Tensor, joined: Tensor) -> tuple[Tensor, Tensor]:
    """Savitzky-Golay along each shot of [F, n]; and which frames belong to a shot long enough for it."""
    out, inner = x.clone(), torch.zeros(len(x))
    edges = [0, *(torch.nonzero(~joined)[:, 0] + 1).tolist(), len(x)]
    for start, end in pairwise(edges):
        if end - start >= _WINDOW:
            filtered = savgol_filter(x[start:end].numpy(), _WINDOW, 2, axis=0)
            out[start:end] = torch.from_numpy(np.asarray(filtered, np.float32))
            inner[start:end] = 1.0
    return out, inner


def _log(rotation: Tensor) -> Tensor:
    """Rotation vectors [F, 3] of small rotations [F, 3, 3]."""
    axis = torch.stack(
        [
            rotation[:, 2, 1] - rotation[:, 1, 2],
            rotation[:, 0, 2] - rotation[:, 2, 0],
            rotation[:, 1, 0] - rotation[:, 0, 1],
        ],
        dim=1,
    )
    cosine = ((rotation.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2).clamp(-1, 1)
    angle = torch.acos(cosine)
    return 0.5 * axis * (angle / torch.sin(angle).clamp(min=1e-6))[:, None].where(angle[:, None] > 1e-4, torch.ones(1))


def _held(p: Motion, gradient: Tensor) -> Tensor:
    """[F, n] unknowns resting on a bound that the gradient pushes them further against."""
    codes = p.expression[:, FREE]
    slope = gradient[:, POSE:_GAZE]
    held = torch.zeros_like(gradient, dtype=torch.bool)
    held[:, POSE:_GAZE] = ((codes <= 0) & (slope > 0)) | ((codes >= BOUNDS) & (slope < 0))
    return held


def _free_system(hessian: Tensor, gradient: Tensor, held: Tensor) -> tuple[Tensor, Tensor]:
    """Replace the rows and columns of held unknowns by the identity, damp the rest a little."""
    keep = (~held).float()
    h = hessian * keep[:, :, None] * keep[:, None, :]
    diagonal = hessian.diagonal(dim1=1, dim2=2)
    h = h + torch.diag_embed(torch.where(held, torch.ones_like(diagonal), 1e-4 * diagonal + 1e-6))
    return h, gradient * keep


def step_frames(
    model: LandmarkModel,
    p: Motion,
    obs: Observations,
    focal: float,
    *,
    prior: float = 1.0,
    joined: Tensor | None = None,
    smooth: Smoothness | None = None,
) -> Motion:
    """One Gauss-Newton step of every frame, its neighbours (if `smooth`) held where they are."""
    gradient, hessian = frame_equations(linearise(model, p, obs, focal, FREE))
    pull, precision = prior_terms(p, obs, prior)
    gradient, hessian = gradient + pull, hessian + precision
    if smooth is not None and joined is not None:
        pull, weight = _smooth_terms(p, joined, smooth)
        gradient, hessian = gradient + pull, hessian + torch.diag_embed(weight)
    h, g = _free_system(hessian, gradient, _held(p, gradient))
    step = -torch.linalg.solve(h.double(), g.double()).float()
    return stepped(p, step, FREE, BOUNDS)


@dataclass(frozen=True)
class Shared:
    """What a clip has one of."""

    identity: Tensor  # [K] standard normal under the identity prior, see identity_prior.py
    placement: Tensor  # [M] coefficients of `placement_modes`
    log_focal: float  # relative to the starting guess


def step_jointly(
    model: LandmarkModel,
    p: Motion,
    obs: Observations,
    focal: float,
    shared: Shared,
    identity_basis: Tensor,  # [k, 478, 3] the identity components that move in this stage
    placement_basis: Tensor,  # [m, 478, 3] likewise of the placement
    *,
    frames_worth: float,
    focal_sigma: float,
) -> tuple[Motion, Shared]:
    """One Gauss-Newton step of key frames, identity, placement and focal length together (frames eliminated first).

    The frames' evidence *and* their expression priors are scaled to be worth `frames_worth` frames: otherwise a
    smile kept through all frames would be paid for in every frame as expression but only once as identity.
    """
    seen = joint_equations(linearise(model, p, obs, focal, FREE), torch.cat([identity_basis, placement_basis]))
    share = frames_worth / len(p)
    pull, own = prior_terms(p, obs, 1.0)
    gradient, hessian = seen.gradient + pull, seen.hessian + own
    held = _held(p, gradient)
    h, g = _free_system(hessian * share, gradient * share, held)
    cross = share * seen.cross * (~held).float()[:, :, None]
    k, m = len(identity_basis), len(placement_basis)
    precision = torch.cat([torch.ones(k + m), torch.tensor([focal_sigma**-2])])
    value = torch.cat([shared.identity[:k], shared.placement[:m], torch.tensor([shared.log_focal])])
    h_shared = share * seen.shared_hessian + torch.diag(precision)
    g_shared = share * seen.shared_gradient + precision * value
    solved = torch.linalg.solve(h.double(), torch.cat([cross, g[..., None]], dim=2).double())
    schur = h_shared.double() - torch.einsum("fnk,fnl->kl", cross.double(), solved[..., :-1])
    right = g_shared.double() - torch.einsum("fnk,fn->k", cross.double(), solved[..., -1])
    d_shared = -torch.linalg.solve(schur, right)
    d_frames = -(solved[..., -1] + torch.einsum("fnk,k->fn", solved[..., :-1], d_shared))
    identity, placement = shared.identity.clone(), shared.placement.clone()
    identity[:k] += d_shared[:k].float()
    placement[:m] += d_shared[k : k + m].float()
    log_focal = float(np.clip(shared.log_focal + float(d_shared[k + m]), -1.2, 1.2))
    return stepped(p, d_frames.float(), FREE, BOUNDS), Shared(identity, placement, log_focal)
