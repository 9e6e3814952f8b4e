# SPDX-License-Identifier: Apache-2.0
"""Closest points on a surface, of those that face the same way: an upper lip is not the lower one it rests on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from .mesh import triangle_normals

Float64 = NDArray[np.float64]
Index = NDArray[np.int64]

_CANDIDATES = 16  # triangles looked at for each point: enough where large ones lie beside small ones
_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Hits:
    """N points on a surface."""

    face: Index  # [N]
    weights: Float64  # [N, 3] of the triangle's corners, not negative, sum to 1
    points: Float64  # [N, 3]
    normals: Float64  # [N, 3] of the triangles
    distance: Float64  # [N]


class Surface:
    """A mesh to look for closest points on.

    turn_m: how far away a triangle counts for each unit that its normal differs by.
    """

    def __init__(self, vertices: Float64, faces: Index, turn_m: float = 0.008) -> None:
        self.vertices, self.faces = np.asarray(vertices, np.float64), np.asarray(faces, np.int64)
        doubled = triangle_normals(self.vertices, self.faces)
        self._normals = doubled / np.maximum(np.linalg.norm(doubled, axis=1, keepdims=True), _TINY)
        self._turn = turn_m
        self._tree = KDTree(np.hstack([self.vertices[self.faces].mean(axis=1), turn_m * self._normals]))

    def closest(self, points: Float64, normals: Float64) -> Hits:
        """For points [N, 3] with unit normals [N, 3]."""
        count = min(_CANDIDATES, len(self.faces))
        found = self._tree.query(np.hstack([points, self._turn * normals]), k=count)[1]
        near = np.asarray(found, np.int64).reshape(len(points), count)
        weights = _closest_in_triangles(points[:, None], self.vertices[self.faces[near]])
        placed = np.einsum("nkc,nkcd->nkd", weights, self.vertices[self.faces[near]])
        away = ((placed - points[:, None]) ** 2).sum(axis=2)
        turned = ((self._normals[near] - normals[:, None]) ** 2).sum(axis=2)
        best = np.argmin(away + self._turn**2 * turned, axis=1)
        row = np.arange(len(points))
        face = near[row, best]
        return Hits(face, weights[row, best], placed[row, best], self._normals[face], np.sqrt(away[row, best]))


def _closest_in_triangles(points: Float64, corners: Float64) -> Float64:
    """Barycentric weights [..., 3] of the points of triangles [..., 3, 3] closest to points [..., 3] (broadcast)."""
    points = np.broadcast_to(points, (*corners.shape[:-2], 3))
    options = [_in_plane(points, corners)]
    for first, second in ((0, 1), (1, 2), (2, 0)):
        a, edge = corners[..., first, :], corners[..., second, :] - corners[..., first, :]
        along = ((points - a) * edge).sum(axis=-1) / np.maximum((edge * edge).sum(axis=-1), _TINY)
        along = np.clip(along, 0.0, 1.0)
        weights = np.zeros(corners.shape[:-1])
        weights[..., first], weights[..., second] = 1.0 - along, along
        options.append(weights)
    every = np.stack(options)
    placed = np.einsum("o...c,...cd->o...d", every, corners)
    distance = ((placed - points) ** 2).sum(axis=-1)
    distance[0][(every[0] < 0.0).any(axis=-1)] = np.inf  # the plane's closest point lies outside
    best = np.argmin(distance, axis=0)
    return np.take_along_axis(every, best[None, ..., None], axis=0)[0]


def _in_plane(points: Float64, corners: Float64) -> Float64:
    """Barycentric weights, negative outside, of the projections onto the triangles' planes."""
    a = corners[..., 0, :]
    u, v, w = corners[..., 1, :] - a, corners[..., 2, :] - a, points - a
    uu, uv, vv = (u * u).sum(-1), (u * v).sum(-1), (v * v).sum(-1)
    wu, wv = (w * u).sum(-1), (w * v).sum(-1)
    area = np.maximum(uu * vv - uv * uv, _TINY)
    second, third = (vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area
    return np.stack([1.0 - second - third, second, third], axis=-1)
