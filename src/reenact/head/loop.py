# SPDX-License-Identifier: Apache-2.0
"""Loop's subdivision (1987) as a matrix: linear, so one matrix upsamples every pose of every person.

It smooths: a coarse vertex moves towards its neighbours, by a fraction of a millimetre on a face. A scheme that keeps
it in place (modified butterfly, Zorin et al. 1996) was tried, and draws every unevenness of the coarse mesh out into a
wrinkle: babies looked eighty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Int = NDArray[np.int64]


@dataclass(frozen=True)
class Subdivision:
    """One round over V vertices and F triangles: W = V + E vertices, 4 F triangles."""

    matrix: csr_matrix  # [W, V], weights are not negative and rows sum to 1; the first V rows are the coarse vertices
    faces: Int  # [4 F, 3]
    parent: Int  # [4 F] the coarse triangle each lies in


def subdivide(faces: NDArray[np.integer], count: int) -> Subdivision:
    """Divide each triangle of a mesh of `count` vertices into four. Borders are curves of their own.

    Raises ValueError if an edge has more than two triangles.
    """
    faces = np.asarray(faces, np.int64)
    a, b, c = faces.T
    ends = np.stack([np.stack(e, 1) for e in ((a, b), (b, c), (c, a))], 1).reshape(-1, 2)  # [3 F, 2], face by face
    number, edges, times = _numbered(np.sort(ends, axis=1), count)
    if (times > 2).any():
        raise ValueError("an edge has more than two triangles; want a surface")
    inner = times == 2
    own, rings = _coarse_rows(edges, inner, count)
    new = count + np.arange(len(edges))
    opposite = np.stack([c, a, b], 1).ravel()  # of each of `ends`, the triangle's third corner
    share = np.where(inner, 0.375, 0.5)
    across = inner[number]
    entries = (
        (np.arange(count), np.arange(count), own),
        *rings,
        (new, edges[:, 0], share),
        (new, edges[:, 1], share),
        (count + number[across], opposite[across], np.full(int(across.sum()), 0.125)),
    )
    rows, columns, weights = (np.concatenate(part) for part in zip(*entries, strict=True))
    matrix = csr_matrix((weights, (rows, columns)), shape=(count + len(edges), count))
    ab, bc, ca = (count + number.reshape(-1, 3)).T
    divided = np.stack([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))], axis=1)
    return Subdivision(matrix, divided.reshape(-1, 3), np.repeat(np.arange(len(faces)), 4))


def _numbered(ends: Int, count: int) -> tuple[Int, Int, Int]:
    """Number of each of the given edges, [E, 2] edges in the order in which they first come, and how often each does.

    ends: [3 F, 2], the smaller of the vertices first.
    """
    _, first, same, times = np.unique(
        ends[:, 0] * count + ends[:, 1], return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[same.reshape(-1)], ends[first[order]], times[order]


def _coarse_rows(
    edges: Int, inner: NDArray[np.bool_], count: int
) -> tuple[NDArray[np.float64], list[tuple[Int, Int, NDArray[np.float64]]]]:
    """What each coarse vertex keeps of itself, and entries (row, column, weight) of what it takes from neighbours.

    Inside the surface with Warren's weights; on a border from the two neighbours along it; nothing where borders meet.
    """
    ring, along = (np.bincount(e.ravel(), minlength=count) for e in (edges, edges[~inner]))
    own = np.where(ring == 3, 1.0 - 3 * 0.1875, 0.625)
    own[ring == 0] = 1.0
    own[along > 0] = np.where(along[along > 0] == 2, 0.75, 1.0)
    entries = []
    for p, q in (edges.T, edges[:, ::-1].T):
        # A vertex inside takes from all around it, one on a border only along the border.
        takes = np.where(along[p] == 0, True, (along[p] == 2) & ~inner)
        v, u = p[takes], q[takes]
        entries.append((v, u, (1.0 - own[v]) / np.where(along[v] == 2, 2, ring[v])))
    return own, entries
