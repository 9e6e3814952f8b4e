# SPDX-License-Identifier: Apache-2.0
"""Loop's subdivision (1987) as a matrix: linear, so one matrix upsamples every pose of every person.

It smooths: a coarse vertex moves towards its neighbours, by a fraction of a millimetre on a face. A scheme that keeps
it in place (modified butterfly, Zorin et al. 1996) was tried, and draws every unevenness of the coarse mesh out into a
wrinkle: babies looked eighty.
"""

from __future__ import annotations

from collections import defaultdict
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
    opposite: dict[tuple[int, int], list[int]] = defaultdict(list)
    for a, b, c in faces.tolist():
        for p, q, r in ((a, b, c), (b, c, a), (c, a, b)):
            opposite[_edge(p, q)].append(r)
    if any(len(others) > 2 for others in opposite.values()):
        raise ValueError("an edge has more than two triangles; want a surface")
    near: dict[int, list[int]] = defaultdict(list)
    border: dict[int, list[int]] = defaultdict(list)
    for (a, b), others in opposite.items():
        for p, q in ((a, b), (b, a)):
            near[p].append(q)
            if len(others) == 1:
                border[p].append(q)
    entries: list[tuple[int, int, float]] = []
    for v in range(count):
        own, ring = (0.75, border[v]) if len(border[v]) == 2 else (1.0, []) if border[v] else _inner(near[v])
        entries.append((v, v, own))
        entries += [(v, u, (1.0 - own) / len(ring)) for u in ring]
    middle: dict[tuple[int, int], int] = {}
    for edge, others in opposite.items():
        new = middle[edge] = count + len(middle)
        share = 0.375 if len(others) == 2 else 0.5
        entries += [(new, v, share) for v in edge]
        entries += [(new, v, 0.125) for v in others if len(others) == 2]
    rows, columns, weights = zip(*entries, strict=True)
    divided = []
    for a, b, c in faces.tolist():
        ab, bc, ca = (middle[_edge(p, q)] for p, q in ((a, b), (b, c), (c, a)))
        divided += [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    matrix = csr_matrix((weights, (rows, columns)), shape=(count + len(middle), count))
    return Subdivision(matrix, np.asarray(divided, np.int64), np.repeat(np.arange(len(faces)), 4))


def _inner(ring: list[int]) -> tuple[float, list[int]]:
    """What a vertex inside the surface keeps of itself, and those it takes the rest from (Warren's weights)."""
    if not ring:
        return 1.0, []
    return (1.0 - 3 * 0.1875 if len(ring) == 3 else 0.625), ring


def _edge(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)
