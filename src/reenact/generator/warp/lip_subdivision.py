# SPDX-License-Identifier: Apache-2.0
"""Subdivision of the lips: half a lip spans a dozen triangles, whose corners an open mouth would show."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from reenact.head.mesh import cut_faces
from reenact.head.model import Float, Int
from reenact.head.mouth import head_size
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape

from .rasterised_mesh import RenderMesh

# Chosen. In brackets: mean change of the mouth, in grey levels, at half and at double, in 10 frames of the demo photo.
_LONGEST_M = 0.0020  # edges of lips and tongue are halved until they are shorter, at an adult's size (0.02; 0.04),
_ROUNDS = 2  # or this often: 16 triangles for each (0.03; 0)
_STRAIGHT = 0.7  # cosine above which one edge continues another (0; 0.11)


def subdivide_lips(head: HeadShape, vertices: NDArray[np.bool_]) -> RenderMesh:
    """Return the head's triangles at some vertices, with those of lips and tongue subdivided.

    Their neighbours are cut to fit.

    Args:
        head: the subject's.
        vertices: [V] True for those whose triangles are returned.
    """
    faces, regions = head.topology.faces.numpy(), head.topology.regions.numpy()
    kept = vertices[faces].any(axis=1)
    faces, regions = faces[kept], regions[kept]
    points = head.neutral.numpy()
    longest = _LONGEST_M * float(head_size(head.eyes))
    subdivisions: list[tuple[Int, Float]] = []
    for _ in range(_ROUNDS):
        edges = _edges(faces[np.isin(regions, region_ids("lips", "tongue"))])
        edges = edges[np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1) > longest]
        if not len(edges):
            break
        subdivision = _midpoints(points, faces, edges)
        middle = {(int(a), int(b)): len(points) + i for i, (a, b) in enumerate(edges)}
        faces, source = cut_faces(faces, lambda a, b, m=middle: m.get((min(a, b), max(a, b)), -1))
        regions = regions[source]
        points = RenderMesh(torch.empty(0), regions, (subdivision,)).subdivide(points)
        subdivisions.append(subdivision)
    return RenderMesh(torch.from_numpy(faces), regions, tuple(subdivisions))


def _edges(faces: Int) -> Int:
    """Return every edge once [E, 2], its smaller vertex first."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(pairs, axis=1), axis=0)


def _midpoints(points: Float, faces: Int, edges: Int) -> tuple[Int, Float]:
    """Return vertices [E, 4] and weights [E, 4] whose sums are midpoints of edges [E, 2] on smooth curves.

    This is the four-point scheme (Dyn, Levin and Gregory, doi 10.1016/0167-8396(87)90001-X) along lines of edges.
    """
    neighbours: dict[int, list[int]] = {int(v): [] for v in np.unique(edges)}
    for a, b in _edges(faces).tolist():
        if a in neighbours:
            neighbours[a].append(b)
        if b in neighbours:
            neighbours[b].append(a)

    def previous(a: int, b: int) -> int:
        """Return the vertex whose edge to `a` the edge from `a` to `b` continues, or -1."""
        others = np.asarray([n for n in neighbours[a] if n != b])
        incoming = points[a] - points[others]
        outgoing = points[b] - points[a]
        cosine = incoming @ outgoing / (np.linalg.norm(incoming, axis=1) * np.linalg.norm(outgoing) + 1e-12)
        return int(others[cosine.argmax()]) if cosine.max() > _STRAIGHT else -1

    rows, weights = np.empty((len(edges), 4), np.int64), np.empty((len(edges), 4), np.float32)
    for i, (a, b) in enumerate(edges.tolist()):
        ends = previous(a, b), previous(b, a)
        rows[i] = a, b, *(end if end >= 0 else a for end in ends)
        # Where a curve ends it is taken to go on straight, so that its last piece is bent at one side only.
        outer = [1 / 16 if end >= 0 else 0.0 for end in ends]
        weights[i] = 0.5 + sum(outer) / 2, 0.5 + sum(outer) / 2, -outer[0], -outer[1]
    return rows, weights
