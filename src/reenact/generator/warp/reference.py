# SPDX-License-Identifier: Apache-2.0
"""What the photo tells about the surface of the head: where each vertex is in it, and whether it is seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.head.model import Float
from reenact.head.motion import Motion
from reenact.head.regions import region_ids
from reenact.head.rig import Rig
from reenact.head.state import posed_vertices
from reenact.rendering import Camera, rasterise, vertex_normals, visible_vertices

from .filters import smoothstep

_TOLERANCE_M = 0.0025
_GRAZING, _FACING = 0.08, 0.35  # cosines to the line of sight between which a surface comes to count as seen


@dataclass(frozen=True)
class Reference:
    """The head as the photo shows it; pixels are those of `camera`."""

    camera: Camera
    state: Motion  # of one frame
    vertices_cam: Float  # [V, 3] metres
    px: Float  # [V, 3] x px, y px, depth m
    seen: Float  # [V] 1 where nothing hides the vertex
    visibility: Float  # [V] 0 to 1: seen, and not too obliquely
    faces: Tensor  # [F', 3] int32, the head without its eyelash cards
    regions: NDArray[np.uint8]  # [F']


def look(rig: Rig, state: Motion, camera: Camera) -> Reference:
    """Pose the rig as in the photo and find what the camera sees of it."""
    topology = rig.topology
    # Lashes are flat cards; the photo's own lashes ride on the lids they grow from.
    kept = ~topology.region_faces(*region_ids("eyelashes"))
    faces = torch.from_numpy(np.ascontiguousarray(topology.faces[kept]))
    vertices = torch.from_numpy(posed_vertices(rig, state, state))
    px = camera.project(vertices)
    drawn = rasterise(px, faces, camera.height, camera.width, cull_back=True)
    seen = visible_vertices(drawn.depth, px, _TOLERANCE_M)[0].numpy()
    normals = vertex_normals(vertices, faces)[0].numpy()
    sight = vertices[0].numpy() / np.linalg.norm(vertices[0].numpy(), axis=1, keepdims=True)
    cosine = -(normals * sight).sum(axis=1)
    return Reference(
        camera,
        state,
        vertices[0].numpy(),
        px[0].numpy(),
        seen * smoothstep(0.02, 0.2, cosine),
        seen * smoothstep(_GRAZING, _FACING, cosine),
        faces,
        topology.regions[kept],
    )
