# SPDX-License-Identifier: Apache-2.0
"""Edges of skin that may touch and may not pass through one another: lips, and lids at their corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import dijkstra

from .along import Along
from .model import Float, Int, Topology
from .smoothstep import smoothstep

_ROUNDS = 3  # two vertices of a pair are not quite at one place along the line


@dataclass(frozen=True)
class Parting:
    """Where two edges of one neutral head meet. P pairs, n vertices that give way."""

    upper: Int  # [P] by rising x
    lower: Int  # [P]
    x: Float  # [P] metres, at rest
    allowed: Float  # [P] metres that they may pass through one another
    along: Along  # the n vertices
    share: Float  # [n] 1 at the upper edge, -1 at the lower, 0 far away

    @staticmethod
    def of(topology: Topology, neutral: Float, pairs: Int, reach: float, press: float = 0.0) -> Parting:
        """neutral: [V, 3] canonical, metres; pairs: [P, 2] (upper, lower); reach: of what gives way, as a share of
        the edges' length; press: metres by which they may overlap, beyond how they rest.
        """
        upper, lower = pairs[np.argsort(neutral[pairs[:, 0], 0])].T
        x = 0.5 * (neutral[upper, 0] + neutral[lower, 0])
        far = reach * np.ptp(x)
        ways = _ways(topology, neutral, np.stack([upper, lower]), far)
        near = np.minimum(*ways)
        rows = np.flatnonzero(near < far)
        above, below = (np.minimum(way[rows], far) for way in ways)
        share = (below - above) / np.maximum(below + above, 1e-9) * (1.0 - smoothstep(0.0, far, near[rows]))
        along = Along.of(np.maximum.accumulate(x), neutral[rows, 0], rows)
        allowed = np.maximum(neutral[lower, 1] - neutral[upper, 1], 0.0) + np.float32(press)
        return Parting(upper, lower, x, allowed, along, share.astype(np.float32))

    def through(self, shapes: Float) -> Float:
        """[F, P] metres by which the upper edge has come below the lower one, beyond what is allowed."""
        return np.maximum(shapes[:, self.lower, 1] - shapes[:, self.upper, 1] - self.allowed, 0.0)

    def part(self, shapes: Float) -> None:
        """Bring edges that have passed through one another to where they touch, each giving way by half; in place."""
        for _ in range(_ROUNDS):
            through = self.through(shapes)
            some = np.flatnonzero(through.max(1) > 0.0)
            if not len(some):
                return
            way = 0.5 * self.share * self.along.of_rows(through[some])
            shapes[some[:, None], self.along.rows, 1] += way


def _ways(topology: Topology, neutral: Float, edges: Int, far: float) -> Float:
    """[2, V] metres over the skin to the nearest of the upper edge's vertices, and of the lower's; inf: far away."""
    links = np.concatenate([topology.faces[:, [0, 1]], topology.faces[:, [1, 2]], topology.faces[:, [2, 0]]])
    length = np.linalg.norm(neutral[links[:, 0]] - neutral[links[:, 1]], axis=1)
    count = len(neutral)
    graph = sp.coo_matrix((length, (links[:, 0], links[:, 1])), shape=(count, count)).tocsr()
    graph = graph.maximum(graph.T)
    return np.stack([dijkstra(graph, indices=rows, min_only=True, limit=4.0 * far) for rows in edges])
