# SPDX-License-Identifier: Apache-2.0
"""Rasteriser and head maps: meshes in camera space to pictures, on any torch device."""

from reenact.rendering.backend import Backend
from reenact.rendering.camera import Camera
from reenact.rendering.fragments import Fragments
from reenact.rendering.interpolate import face_labels, interpolate, interpolate_directions
from reenact.rendering.maps import HeadMaps, render_head_maps
from reenact.rendering.normals import normals_to_picture, picture_to_normals, vertex_normals
from reenact.rendering.rasterise import rasterise
from reenact.rendering.visibility import visible_vertices

__all__ = [
    "Backend",
    "Camera",
    "Fragments",
    "HeadMaps",
    "face_labels",
    "interpolate",
    "interpolate_directions",
    "normals_to_picture",
    "picture_to_normals",
    "rasterise",
    "render_head_maps",
    "vertex_normals",
    "visible_vertices",
]
