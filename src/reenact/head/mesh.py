# SPDX-License-Identifier: Apache-2.0
"""Triangle meshes: normals, sizes, and triangles cut through the middles of their edges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def summed_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Sum the normals of the triangles at each vertex, each twice its triangle's area long.

    Args:
        vertices: [B, V, 3].
        faces: [F, 3] int64, counter-clockwise from outside.

    Returns:
        [B, V, 3] in the vertices' frame, pointing outwards; 0 at vertices without a triangle. Differentiable.
    """
    a, b, c = vertices[:, faces].unbind(2)
    normals = torch.linalg.cross(b - a, c - a)
    spread = normals[:, :, None].expand(-1, -1, 3, -1).flatten(1, 2)
    return torch.zeros_like(vertices).index_add(1, faces.flatten(), spread)


def vertex_normals(vertices: NDArray[Any], faces: NDArray[np.integer]) -> NDArray[Any]:
    """Unit normals [V, 3] of vertices [V, 3], each triangle counted by its area; 0 at vertices without one.

    `rendering.vertex_normals` is the same for tensors.
    """
    total = summed_normals(torch.from_numpy(vertices)[None], torch.from_numpy(faces).long())[0]
    return torch.nn.functional.normalize(total, dim=-1, eps=torch.finfo(total.dtype).tiny).numpy()


def triangle_normals(vertices: NDArray[Any], faces: NDArray[np.integer]) -> NDArray[Any]:
    """Normals [F, 3] of triangles, each twice its triangle's area long."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


def triangle_areas(vertices: NDArray[Any], faces: NDArray[np.integer]) -> NDArray[Any]:
    """Areas [F] of triangles."""
    return 0.5 * np.linalg.norm(triangle_normals(vertices, faces), axis=1)


def rms_radius(points: NDArray[Any]) -> NDArray[Any]:
    """Root mean square distance of points [..., N, D] from their mean -> [...]: the size of a face."""
    return np.sqrt(((points - points.mean(axis=-2, keepdims=True)) ** 2).sum(axis=-1).mean(axis=-1))


def cut_faces(
    faces: NDArray[np.integer], middle: Callable[[int, int], int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut triangles through the middles of those edges that have one.

    Args:
        faces: [F, 3].
        middle: gives the vertex in the middle of an edge, -1 for none, of its two ends in either order.

    Returns:
        Triangles [G, 3], in the order and of the winding of those they lie in, and in which [G] each does.
    """
    out: list[tuple[int, int, int]] = []
    source: list[int] = []
    for number, (a, b, c) in enumerate(faces.tolist()):
        parts = _cut(a, b, c, middle(a, b), middle(b, c), middle(c, a))
        out += parts
        source += [number] * len(parts)
    return np.asarray(out, np.int64).reshape(-1, 3), np.asarray(source, np.int64)


def _cut(a: int, b: int, c: int, ab: int, bc: int, ca: int) -> list[tuple[int, int, int]]:
    """One triangle, cut into up to four."""
    for _ in range(3):
        if ab >= 0 and bc >= 0 and ca >= 0:
            return [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        if ab >= 0 and bc >= 0:
            return [(ab, b, bc), (a, ab, bc), (a, bc, c)]
        if ab >= 0 and ca < 0:
            return [(a, ab, c), (ab, b, c)]
        a, b, c, ab, bc, ca = b, c, a, bc, ca, ab
    return [(a, b, c)]
