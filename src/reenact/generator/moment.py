# SPDX-License-Identifier: Apache-2.0
"""The head at one moment, as every piece of the picture needs it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from reenact.heads.model import Float, Int
from reenact.heads.rig import Rig
from reenact.heads.state import HeadState, deformed, posed
from reenact.rendering import Camera, vertex_normals

from .bite import shut_behind


@dataclass(frozen=True)
class Moment:
    state: HeadState
    camera: Camera
    shape: Float  # [V, 3] canonical head space, metres
    px: Float  # [V, 3] x px, y px of the camera's picture; depth m
    normals: Float  # [V, 3] unit, camera space

    def px_per_m(self, rows: Int) -> float:
        """Pixels that a metre takes at the depth of some vertices."""
        return self.camera.focal_px / float(self.px[rows, 2].mean())


def moment(rig: Rig, state: HeadState, photo: HeadState, camera: Camera, faces: Tensor) -> Moment:
    """Pose the rig; the torso stays where the photo has it (see heads.state)."""
    shape = shut_behind(rig, deformed(rig, [state]))
    cam = torch.from_numpy(posed(rig, shape, [state], photo)[0])
    return Moment(state, camera, shape[0], camera.project(cam).numpy(), vertex_normals(cam, faces).numpy())
