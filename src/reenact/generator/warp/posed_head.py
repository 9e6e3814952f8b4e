# SPDX-License-Identifier: Apache-2.0
"""The head in one frame, as every part of the warp needs it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reenact.head.model import Float, Int
from reenact.head.motion import Motion
from reenact.head.shape import HeadShape
from reenact.head.state import deformed, posed
from reenact.rendering import Camera, vertex_normals


@dataclass(frozen=True)
class PosedHead:
    """A head of V vertices at the pose of one frame; pixels are those of `camera`."""

    motion: Motion  # of one frame
    camera: Camera
    vertices: Float  # [V, 3] canonical head space, metres
    px: Float  # [V, 3] x px, y px, depth m
    render_px: Float  # [V, 3] as `px`, but the inside of lips and mouth is deeper than all skin around it
    normals: Float  # [V, 3] unit, camera space

    @classmethod
    def pose(cls, head: HeadShape, motion: Motion, reference: Motion, camera: Camera, faces: Tensor) -> PosedHead:
        """Pose a head.

        Args:
            head: the subject's.
            motion: the frame's.
            reference: of one frame; the torso stays there (see `head.state.posed`).
            camera: the reference's.
            faces: [F, 3] triangles whose normals count.
        """
        vertices = deformed(head, motion)
        in_camera = posed(head, vertices, motion, reference)[0]
        px = camera.project(in_camera).numpy()
        render_px = px.copy()
        render_px[:, 2] += head.inner_lips.hidden_depth(vertices)[0].numpy()
        return cls(motion, camera, vertices[0].numpy(), px, render_px, vertex_normals(in_camera, faces).numpy())

    def px_per_m(self, rows: Int) -> float:
        """Return the pixels of a metre at the mean depth of some vertices."""
        return self.camera.focal_px / float(self.px[rows, 2].mean())
