# SPDX-License-Identifier: Apache-2.0
"""The head at one moment, as every piece of the picture needs it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reenact.head.model import Float, Int
from reenact.head.motion import Motion
from reenact.head.shape import HeadShape
from reenact.head.state import deformed, posed
from reenact.rendering import Camera, vertex_normals


@dataclass(frozen=True)
class Moment:
    state: Motion  # of one frame
    camera: Camera
    shape: Float  # [V, 3] canonical head space, metres
    px: Float  # [V, 3] x px, y px of the camera's picture; depth m
    drawn: Float  # [V, 3] the same to draw: the inside of lips and mouth deeper than all skin around it
    normals: Float  # [V, 3] unit, camera space

    def px_per_m(self, rows: Int) -> float:
        """Pixels that a metre takes at the depth of some vertices."""
        return self.camera.focal_px / float(self.px[rows, 2].mean())


def moment(head: HeadShape, state: Motion, photo: Motion, camera: Camera, faces: Tensor) -> Moment:
    """Pose the head; the torso stays where the photo has it (see head.state)."""
    shape = deformed(head, state)
    cam = posed(head, shape, state, photo)[0]
    px = camera.project(cam).numpy()
    drawn = px.copy()
    drawn[:, 2] += head.inner_lips.hidden_depth(shape)[0].numpy()
    return Moment(state, camera, shape[0].numpy(), px, drawn, vertex_normals(cam, faces).numpy())
