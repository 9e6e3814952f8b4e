# SPDX-License-Identifier: Apache-2.0
"""Head maps: everything the generator learns of a posed head, as pictures."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from reenact.head.camera import Camera
from reenact.head.regions import EMPTY

from .backend import Backend
from .fragments import EMPTY_FACE, Fragments
from .interpolate import face_labels, interpolate, interpolate_directions
from .normals import vertex_normals
from .rasterise import rasterise


@dataclass(frozen=True)
class HeadMaps:
    """Pictures of a batch of B posed heads, seen by one camera; H, W are the camera's height and width."""

    fragments: Fragments
    """The face, barycentric coordinates and depth under each pixel, to interpolate anything else with."""
    normals: Tensor
    """[B, H, W, 3] float: unit surface normals in camera space (OpenCV axes: x right, y down, z away), 0
    where empty."""
    regions: Tensor
    """[B, H, W] uint8: region label (heads.regions), 255 where empty."""
    uv: Tensor | None
    """[B, H, W, 2] float: texture coordinates, 0 where empty; None if the mesh has none: finer ones than the head
    model's."""
    reference_px: Tensor | None
    """[B, H, W, 2] float: where the reference shows the same surface point (x px, y px), 0 where empty; None
    without a reference."""
    visibility: Tensor | None
    """[B, H, W] float, 0 to 1: 1 where the reference shows the surface point, 0 where it does not or nothing is
    drawn; in between on triangles with seen and unseen vertices. None without a reference."""

    @property
    def mask(self) -> Tensor:
        """[B, H, W] bool: True where the head is drawn."""
        return self.fragments.face != EMPTY_FACE

    @property
    def depth(self) -> Tensor:
        """[B, H, W] float: camera depth in metres, inf where empty."""
        return self.fragments.depth


def render_head_maps(
    vertices_cam: Tensor,
    faces: Tensor,
    camera: Camera,
    *,
    regions: Tensor,
    reference_px: Tensor | None = None,
    reference_visibility: Tensor | None = None,
    uv: tuple[Tensor, Tensor] | None = None,
    backend: Backend = "auto",
) -> HeadMaps:
    """Draw the maps of a batch of heads that share one topology. Surfaces seen from behind are not drawn.

    vertices_cam: [B, V, 3] float, camera space, metres. faces: [F, 3] integer, counter-clockwise from
    outside. regions: [F] uint8 region labels. reference_px: [V, 2] float, the vertices in the reference (x px, y px);
    carried linearly over each triangle, whose own perspective in the reference is neglected.
    reference_visibility: [V] bool or float 0 to 1, whether the reference shows the vertex (visible_vertices). uv:
    texture coordinates [U, 2] float and the faces that index them [F, 3]. backend: see Backend; the torch
    backend is differentiable in the vertices (normals, depth, uv, reference_px), though not across silhouettes.

    Raises ValueError on shapes that do not fit.
    """
    fragments = rasterise(
        camera.project(vertices_cam), faces, camera.height, camera.width, cull_back=True, backend=backend
    )
    vertex_normal = vertex_normals(vertices_cam, faces, backend)
    normals = interpolate_directions(vertex_normal, faces, fragments, backend)
    seen = None if reference_visibility is None else reference_visibility.to(vertices_cam.dtype)[:, None]
    return HeadMaps(
        fragments=fragments,
        normals=normals,
        regions=face_labels(regions, EMPTY, fragments, backend),
        uv=None if uv is None else interpolate(*uv, fragments, backend),
        reference_px=None if reference_px is None else interpolate(reference_px, faces, fragments, backend),
        visibility=None if seen is None else interpolate(seen, faces, fragments, backend)[..., 0],
    )
