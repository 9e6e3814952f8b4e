# SPDX-License-Identifier: Apache-2.0
"""Gaze angles and the eyeLook actions that belong to them.

Gaze is (yaw, pitch) in radians per eye, subject's left eye first, relative to the head: yaw > 0 looks to the
subject's left, pitch > 0 looks up.  The eyeballs turn rigidly; the eyeLook actions then only move the lids.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .arkit import index
from .model import Float

# Order of `ParametricHead.gaze_limits` columns.
_IN, _OUT, _UP, _DOWN = range(4)
LOOK_ACTIONS = tuple(
    tuple(index(f"eyeLook{direction}{side}") for direction in ("In", "Out", "Up", "Down")) for side in ("Left", "Right")
)
LOOK_BOUND = 2.0  # the lids have followed as far as they go


def look_activations(gaze: Tensor, limits: Tensor) -> Tensor:
    """[F, 2, 2] gaze -> [F, 2, 4] eyeLook In, Out, Up, Down activations of each eye, in [0, LOOK_BOUND]."""
    outward = gaze[..., 0] * gaze.new_tensor([1.0, -1.0])  # the left eye looks out when it looks left
    pitch = gaze[..., 1]
    return (torch.stack([-outward, outward, pitch, -pitch], dim=-1) / limits).clamp(0.0, LOOK_BOUND)


def look_derivatives(gaze: Tensor, limits: Tensor) -> Tensor:
    """[F, 2, 4, 2] derivatives of `look_activations` by each eye's own yaw and pitch."""
    look = look_activations(gaze, limits)
    slope = ((look > 0.0) & (look < LOOK_BOUND)).to(gaze) / limits
    signs = gaze.new_tensor([[[-1, 0], [1, 0], [0, 1], [0, -1]], [[1, 0], [-1, 0], [0, 1], [0, -1]]])
    return slope[..., None] * signs


def with_look_activations(expression: Tensor, gaze: Tensor, limits: Tensor) -> Tensor:
    """[F, 52] codes with their eyeLook entries replaced by those of `gaze`, which is the one truth about the eyes."""
    columns = torch.tensor([i for eye in LOOK_ACTIONS for i in eye], device=expression.device)
    return expression.index_copy(1, columns, look_activations(gaze, limits).flatten(1))


def gaze_rotations(gaze: Tensor) -> Tensor:
    """[..., 2] (yaw, pitch) -> [..., 3, 3] canonical rotations taking +z (straight ahead) to the line of sight."""
    yaw, pitch = gaze.unbind(-1)
    cy, sy, cp, sp = yaw.cos(), yaw.sin(), pitch.cos(), pitch.sin()
    rows = [cy, -sy * sp, sy * cp, torch.zeros_like(cy), cp, sp, -sy, -cy * sp, cy * cp]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


def gaze_rotation_derivatives(gaze: Tensor) -> Tensor:
    """[..., 2] -> [..., 2, 3, 3] derivatives of `gaze_rotations` by yaw and by pitch.

    The entries are products of the angles' cosines and sines: a quarter turn on they are the derivative, but for those
    that do not have the angle in them.
    """
    turns = gaze[..., None, :] + gaze.new_tensor([[torch.pi / 2, 0.0], [0.0, torch.pi / 2]])
    depends = gaze.new_tensor([[[1, 1, 1], [0, 0, 0], [1, 1, 1]], [[0, 1, 1], [0, 1, 1], [0, 1, 1]]])
    return gaze_rotations(turns) * depends


def with_gaze(expression: NDArray[np.floating], gaze: NDArray[np.floating], limits: Tensor) -> Float:
    """`with_look_activations` of arrays."""
    return with_look_activations(_tensor(expression), _tensor(gaze), limits).numpy()


def gaze_of(expression: Float, limits: Tensor) -> Float:
    """The inverse for activations within [0, LOOK_BOUND]: [F, 52] -> [F, 2, 2] radians."""
    gaze = np.zeros((len(expression), 2, 2), np.float32)
    for eye, columns in enumerate(LOOK_ACTIONS):
        look = expression[:, list(columns)] * limits[eye].numpy()
        sign = 1.0 if eye == 0 else -1.0
        gaze[:, eye, 0] = sign * (look[:, _OUT] - look[:, _IN])
        gaze[:, eye, 1] = look[:, _UP] - look[:, _DOWN]
    return gaze


def eye_rotations(gaze: NDArray[np.floating]) -> Float:
    """`gaze_rotations` of arrays."""
    return gaze_rotations(_tensor(gaze)).numpy()


def _tensor(values: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
