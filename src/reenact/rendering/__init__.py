# SPDX-License-Identifier: Apache-2.0
"""Rasteriser and head maps: meshes in camera space to pictures, on any torch device."""

from reenact.head.camera import Camera

from .backend import Backend
from .fragments import Fragments, visible_vertices
from .interpolate import PixelInterpolation, face_labels, interpolate, interpolate_directions
from .maps import HeadMaps, render_head_maps
from .normals import VertexNormals, normals_to_picture, picture_to_normals, vertex_normals
from .rasterise import rasterise

__all__ = [
    "Backend",
    "Camera",
    "Fragments",
    "HeadMaps",
    "PixelInterpolation",
    "VertexNormals",
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
