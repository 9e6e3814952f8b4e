# SPDX-License-Identifier: Apache-2.0
"""Head maps of a motion, with the correspondence to a reference image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from reenact.head.camera import Camera
from reenact.head.levels import refine
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
"""Renders the maps of a motion with a camera, frame by frame."""
MAPS_PX = 512
"""Width of maps unless another is asked for, and of the image in which visibility is determined."""


@dataclass(frozen=True)
class VisibleHead:
    """What an image shows of a head of V vertices; pixels are those of `camera`."""

    camera: Camera
    motion: Motion
    """Of one frame."""
    px: Tensor
    """[V, 3] x px, y px, depth m."""
    unoccluded: Tensor
    """[V] 0 to 1: 1 where no other surface hides the vertex, falling to 0 where its surface turns away."""
    visibility: Tensor
    """[V] 0 to 1: as `unoccluded`, but falling where the surface is seen too obliquely for its texture to be used."""
    faces: Tensor
    """[F, 3] int64 triangles of the head without its eyelashes."""
    regions: Tensor
    """[F] uint8 labels of the triangles (`head.regions`)."""


def visible_head(head: HeadShape, motion: Motion, camera: Camera) -> VisibleHead:
    """Determine what an image shows of a head.

    Args:
        head: the subject's.
        motion: of one frame, the head in the image.
        camera: of the image.
    """
    topology = head.topology
    # Eyelashes are flat cards. Those of the image are part of the texture of the lids that they grow from.
    kept = ~topology.region_faces(*region_ids("eyelashes"))
    faces = topology.faces[kept]
    vertices = posed_vertices(head, motion, motion)
    px = camera.project(vertices)
    depth = rasterise(px, faces, camera.height, camera.width, cull_back=True).depth
    # 2.5 mm: how far a vertex may be behind the rasterised surface, which is the chord of a curved one.
    visible = visible_vertices(depth, px, 0.0025)[0]
    points, normals = vertices[0], vertex_normals(vertices, faces)[0]
    cosine = -(normals * (points / points.norm(dim=1, keepdim=True))).sum(1)  # to the viewer
    return VisibleHead(
        camera,
        motion,
        px[0],
        visible * smoothstep(0.02, 0.2, cosine),
        visible * smoothstep(0.08, 0.35, cosine),
        faces,
        topology.regions[kept],
    )


class HeadRenderer:
    """Renders maps of one subject's head, with the correspondence to a reference image.

    Args:
        head: the subject's.
        reference: the image. The shoulders stay as they are in it.
        size: width of the maps, px; the correspondence is in pixels of the reference at that size.
    """

    def __init__(self, head: HeadShape, reference: Reference, size: int = MAPS_PX) -> None:
        self._head = head
        self._reference = visible_head(head, reference.motion, reference.camera.scaled(size / reference.camera.width))

    @property
    def camera(self) -> Camera:
        """The reference's camera at the size of the maps."""
        return self._reference.camera

    def __call__(self, motion: Motion, camera: Camera | None = None) -> HeadMaps:
        """Render a motion of F frames as F maps at once.

        Args:
            motion: the subject's.
            camera: another camera at the same place; None: `HeadRenderer.camera`.
        """
        head, reference = self._head, self._reference
        shapes = deformed(head, motion)
        vertices = posed(head, shapes, motion, reference.motion)
        # The inside of lips and mouth is rendered deeper than all skin around it, on the same line of sight.
        vertices = vertices * (1.0 + (head.inner_lips.hidden_depth(shapes) / vertices[..., 2])[..., None])
        topology = head.topology
        return render_head_maps(
            vertices,
            topology.faces,
            camera or reference.camera,
            regions=topology.regions,
            reference_px=reference.px[:, :2].contiguous(),
            reference_visibility=reference.visibility,
            uv=(topology.uv, topology.uv_faces),
        )

    def stream(self, motion: Motion, camera: Camera | None = None) -> Iterator[HeadMaps]:
        """Render a motion of F frames, one at a time when it is asked for."""
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
        subject: the person.
        motion: F frames of the subject, for example retargeted ones.
        camera: None: that of the subject's reference or, without one, of the first source.
        size: longer side of the maps, px; None: that of the camera's image.
        level: level of detail, 0 to 2; the open head has 5,376, 21,223 or 84,369 vertices.
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
    vertices = posed(head, surface, motion, rest, mesh.head_weight)
    vertices = vertices * (1.0 + hidden / vertices[..., 2:])
    where = torch.device("cpu" if device is None else device)
    return render_head_maps(
        vertices.to(where),
        mesh.faces.to(where),
        camera,
        regions=mesh.regions.to(where),
    )
