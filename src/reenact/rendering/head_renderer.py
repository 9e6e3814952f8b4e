# SPDX-License-Identifier: Apache-2.0
"""Head maps of a motion, with the correspondence to a reference picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.head.camera import Camera
from reenact.head.levels import refine
from reenact.head.model import Float
from reenact.head.motion import Motion
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape
from reenact.head.smoothstep import smoothstep
from reenact.head.state import deformed, posed, posed_vertices
from reenact.head.subject import Reference, Subject

from .fragments import visible_vertices
from .maps import HeadMaps, render_head_maps
from .normals import vertex_normals
from .rasterise import rasterise

MapStream = Callable[[Camera], Iterator[HeadMaps]]
"""Maps of one frame of a motion after the other, as a camera sees them."""
MAPS_PX = 512
"""Width of maps, unless another is asked for, and of the picture in which it is found what hides what."""
_TOLERANCE_M = 0.0025
_GRAZING, _FACING = 0.08, 0.35  # cosines to the line of sight between which a surface comes to count as seen


@dataclass(frozen=True)
class VisibleHead:
    """The head as a picture shows it; pixels are those of `camera`."""

    camera: Camera
    motion: Motion  # of one frame
    vertices_cam: Float  # [V, 3] metres
    px: Float  # [V, 3] x px, y px, depth m
    unhidden: Float  # [V] 1 where nothing hides the vertex
    visibility: Float  # [V] 0 to 1: unhidden, and not too obliquely
    faces: Tensor  # [F', 3] int32, the head without its eyelash cards
    regions: NDArray[np.uint8]  # [F']


def visible_head(head: HeadShape, motion: Motion, camera: Camera) -> VisibleHead:
    """Pose the head as in a picture, a motion of one frame, and find what the camera sees of it."""
    topology = head.topology
    # Lashes are flat cards; the picture's own lashes ride on the lids they grow from.
    kept = ~topology.region_faces(*region_ids("eyelashes"))
    faces = torch.from_numpy(np.ascontiguousarray(topology.faces[kept]))
    vertices = posed_vertices(head, motion, motion)
    px = camera.project(vertices)
    drawn = rasterise(px, faces, camera.height, camera.width, cull_back=True)
    seen = visible_vertices(drawn.depth, px, _TOLERANCE_M)[0].numpy()
    normals = vertex_normals(vertices, faces)[0].numpy()
    sight = vertices[0].numpy() / np.linalg.norm(vertices[0].numpy(), axis=1, keepdims=True)
    cosine = -(normals * sight).sum(axis=1)
    return VisibleHead(
        camera,
        motion,
        vertices[0].numpy(),
        px[0].numpy(),
        seen * smoothstep(0.02, 0.2, cosine),
        seen * smoothstep(_GRAZING, _FACING, cosine),
        faces,
        topology.regions[kept],
    )


class HeadRenderer:
    """Maps of one subject's head, and where a reference picture shows the same surface.

    Args:
        head: of the subject.
        reference: the picture. The shoulders stay as they are there.
        size: width of the maps, px; the correspondence is in pixels of the reference at that size.
    """

    def __init__(self, head: HeadShape, reference: Reference, size: int = MAPS_PX) -> None:
        self._head = head
        self._seen = visible_head(head, reference.motion, reference.camera.scaled(size / reference.camera.width))

    @property
    def camera(self) -> Camera:
        """The reference's, at the size of the maps."""
        return self._seen.camera

    def __call__(self, motion: Motion, camera: Camera | None = None) -> HeadMaps:
        """Render a motion of F frames, by another camera at the same place if one is given: F maps at once."""
        head, seen = self._head, self._seen
        shapes = deformed(head, motion)
        vertices = posed(head, shapes, motion, seen.motion)
        # The inside of lips and mouth is rendered deeper than all skin around it, on the same line of sight.
        vertices = vertices * (1.0 + (head.inner_lips.hidden_depth(shapes) / vertices[..., 2])[..., None])
        topology = head.topology
        return render_head_maps(
            vertices,
            torch.from_numpy(topology.faces),
            camera or seen.camera,
            regions=torch.from_numpy(topology.regions),
            photo_px=torch.from_numpy(seen.px[:, :2].copy()),
            photo_visibility=torch.from_numpy(seen.visibility),
            uv=(torch.from_numpy(topology.uv), torch.from_numpy(topology.uv_faces)),
        )

    def stream(self, motion: Motion, camera: Camera | None = None) -> Iterator[HeadMaps]:
        """Render a motion frame by frame, each when it is asked for."""
        return (self(frame, camera) for frame in motion)


def render(
    subject: Subject,
    motion: Motion,
    camera: Camera | None = None,
    *,
    size: int | None = None,
    level: int = 2,
    device: torch.device | str | None = None,
) -> HeadMaps:
    """Render a subject's head, with its static and dynamic offsets, in every frame of a motion.

    Args:
        subject: whose head.
        motion: F frames: the subject's own, or a retargeted one.
        camera: None: that of the subject's reference picture or, without one, of the first source.
        size: longer side of the maps, px; None: as large as the camera's picture.
        level: of detail, 0 to 2: of the open head 5,376, 21,223 or 84,369 vertices.
        device: where the head is rasterised; None: the CPU.

    Returns:
        Maps [F, H, W] of normals, regions and depth, on the device.
    """
    reference = subject.references[0] if subject.references else None
    camera = camera or (reference.camera if reference else subject.camera)
    if size is not None:
        camera = camera.scaled(size / max(camera.width, camera.height))
    mesh, head = subject.levels[level], subject.head
    shapes = deformed(head, motion)
    surface = refine(subject.levels, shapes, level, subject.fine_offset if level else None)
    hidden = refine(subject.levels, head.inner_lips.hidden_depth(shapes)[..., None], level)
    rest = reference.motion if reference else motion[0]
    vertices = posed(head, surface, motion, rest, torch.from_numpy(mesh.head_weight))
    vertices = vertices * (1.0 + hidden / vertices[..., 2:])
    where = torch.device("cpu" if device is None else device)
    return render_head_maps(
        vertices.to(where),
        torch.from_numpy(np.ascontiguousarray(mesh.faces)).to(where),
        camera,
        regions=torch.from_numpy(mesh.regions).to(where),
    )
