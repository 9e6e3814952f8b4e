# SPDX-License-Identifier: Apache-2.0
"""The head at one moment, as every piece of the picture needs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reenact.head.model import Float, Int
from reenact.head.regions import MOUTH_INTERIOR, region_ids
from reenact.head.rig import Rig
from reenact.head.state import HeadState, deformed, posed
from reenact.rendering import Camera, vertex_normals

from .bite import seated
from .filters import smoothstep
from .tuck import Tuck

_CLEAR_M = 0.03  # deeper than teeth or cavity could stick out of the lips, cheeks or chin in front of them
_INNER = 8.0  # times its depth behind their edge is how much deeper the inner side of the lips is drawn
_TONGUE_OUT_M = (0.004, -0.002)  # behind the lips: a tongue that is put out is in front of them


@dataclass(frozen=True)
class Moment:
    state: HeadState
    camera: Camera
    shape: Float  # [V, 3] canonical head space, metres
    px: Float  # [V, 3] x px, y px of the camera's picture; depth m
    drawn: Float  # [V, 3] the same to draw: the inside of lips and mouth deeper than all skin around it
    normals: Float  # [V, 3] unit, camera space

    def px_per_m(self, rows: Int) -> float:
        """Pixels that a metre takes at the depth of some vertices."""
        return self.camera.focal_px / float(self.px[rows, 2].mean())


def moment(rig: Rig, state: HeadState, photo: HeadState, camera: Camera, faces: Tensor, tuck: Tuck) -> Moment:
    """Pose the rig; the torso stays where the photo has it (see heads.state)."""
    shape = tuck(seated(rig, deformed(rig, [state]))[0])
    cam = torch.from_numpy(posed(rig, shape[None], [state], photo)[0])
    px = camera.project(cam).numpy()
    drawn = px.copy()
    drawn[:, 2] += kept_back(rig, tuck, shape)
    return Moment(state, camera, shape, px, drawn, vertex_normals(cam, faces).numpy())


def kept_back(rig: Rig, tuck: Tuck, shape: Float) -> Float:
    """[V] metres by which vertices are drawn deeper than they are, so that nothing in the mouth comes out of a face.

    shape: [V, 3] canonical.
    """
    out = np.zeros(len(shape), np.float32)
    top = rig.topology
    inside = np.setdiff1d(top.region_vertices(*region_ids(*MOUTH_INTERIOR)), top.region_vertices(*region_ids("lips")))
    tongue = top.region_vertices(*region_ids("tongue"))
    for inner, depth, apart in zip(tuck.inner, tuck.depth, tuck.apart(shape), strict=True):
        out[inner] += _INNER * apart * depth
    out[inside] += _CLEAR_M
    out[tongue] -= _CLEAR_M * smoothstep(*_TONGUE_OUT_M, depth_behind_lips(rig, shape, tongue))
    return out


def depth_behind_lips(rig: Rig, shape: Float, rows: Int) -> Float:
    """[N] metres that vertices `rows` are behind where the lips meet at the same place from left to right.

    shape: [V, 3] canonical; the depth is along the axis of the head.
    """
    line = shape[rig.topology.lip_contacts].mean(axis=1)
    line = line[np.argsort(line[:, 0])]
    return np.interp(shape[rows, 0], line[:, 0], line[:, 2]) - shape[rows, 2]
