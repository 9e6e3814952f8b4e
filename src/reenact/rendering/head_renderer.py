# SPDX-License-Identifier: Apache-2.0
"""Head maps of a motion, with the correspondence to a reference image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from reenact.head.camera import Camera
from reenact.head.levels import Level, refine
from reenact.head.motion import Motion
from reenact.head.regions import in_regions, region_ids
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
    return _visible(posed_vertices(head, motion, motion), topology.faces, topology.regions, motion, camera)


def _visible(vertices: Tensor, faces: Tensor, regions: Tensor, motion: Motion, camera: Camera) -> VisibleHead:
    """vertices: [1, V, 3] camera space, metres. See `visible_head`."""
    # Eyelashes are flat cards. Those of the image are part of the texture of the lids that they grow from.
    kept = ~in_regions(regions, *region_ids("eyelashes"))
    faces = faces[kept]
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
        regions[kept],
    )


class HeadRenderer:
    """Renders maps of one subject's head, with its static and dynamic offsets, and the correspondence to an image.

    Args:
        subject: the person.
        reference: the image. The shoulders stay as they are in it.
        size: width of the maps, px; the correspondence is in pixels of the reference at that size.
        level: level of detail, 0 to 2, see `render`; None: 1 for a subject with fine static offsets, which act there,
            0 for others.
    """

    def __init__(
        self, subject: Subject, reference: Reference, size: int = MAPS_PX, *, level: int | None = None
    ) -> None:
        self._subject = subject
        self._level = int(subject.fine_offset is not None) if level is None else level
        motion, camera, mesh = reference.motion, reference.camera.scaled(size / reference.camera.width), self._mesh
        vertices = _posed_surface(subject, deformed(subject.head, motion), motion, motion, self._level)
        self._reference = _visible(vertices, mesh.faces, mesh.regions, motion, camera)

    @property
    def camera(self) -> Camera:
        """The reference's camera at the size of the maps."""
        return self._reference.camera

    @property
    def _mesh(self) -> Level:
        return self._subject.levels[self._level]

    def __call__(self, motion: Motion, camera: Camera | None = None) -> HeadMaps:
        """Render a motion of F frames as F maps at once.

        Args:
            motion: the subject's.
            camera: another camera at the same place; None: `HeadRenderer.camera`.
        """
        subject, reference, mesh = self._subject, self._reference, self._mesh
        topology = subject.model.topology
        return render_head_maps(
            _rendered_surface(subject, motion, reference.motion, self._level),
            mesh.faces,
            camera or reference.camera,
            regions=mesh.regions,
            reference_px=reference.px[:, :2].contiguous(),
            reference_visibility=reference.visibility,
            uv=(topology.uv, topology.uv_faces) if self._level == 0 else None,
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
    mesh, rest = subject.levels[level], reference.motion if reference else motion[0]
    vertices = _rendered_surface(subject, motion, rest, level)
    where = torch.device("cpu" if device is None else device)
    return render_head_maps(
        vertices.to(where),
        mesh.faces.to(where),
        camera,
        regions=mesh.regions.to(where),
    )


def _posed_surface(subject: Subject, shapes: Tensor, motion: Motion, rest: Motion, level: int) -> Tensor:
    """Pose shapes [F, V, 3] of the coarse head as [F, N, 3] of a level in camera space; rest: see `posed`."""
    surface = refine(subject.levels, shapes, level, subject.fine_offset if level else None)
    return posed(subject.head, surface, motion, rest, subject.levels[level].head_weight)


def _rendered_surface(subject: Subject, motion: Motion, rest: Motion, level: int) -> Tensor:
    """[F, N, 3] camera space: the inside of lips and mouth is deeper than all skin around it, in the line of sight."""
    shapes = deformed(subject.head, motion)
    hidden = refine(subject.levels, subject.head.inner_lips.hidden_depth(shapes)[..., None], level)
    vertices = _posed_surface(subject, shapes, motion, rest, level)
    return vertices * (1.0 + hidden / vertices[..., 2:])
