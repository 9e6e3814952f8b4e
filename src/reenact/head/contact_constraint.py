# SPDX-License-Identifier: Apache-2.0
"""Constraint that edges of skin touch and do not pass through one another: lips, and lids at their corners."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import dijkstra
from torch import Tensor, nn

from .line_interpolation import LineInterpolation
from .model import Float, Int, Topology
from .smoothstep import smoothstep

_ROUNDS = 3  # two vertices of a pair are not quite at one place along the line


class ContactConstraint(nn.Module):
    """Where two edges of one neutral head meet. P pairs, n vertices that give way."""

    upper: Tensor  # [P] by rising x
    lower: Tensor  # [P]
    x: Tensor  # [P] metres, at rest
    allowed: Tensor  # [P] metres that they may pass through one another
    rows: Tensor  # [n] vertices
    _upper_row: Tensor  # [P] where the pairs are among the n vertices
    _lower_row: Tensor  # [P]
    share: Tensor  # [n] 1 at the upper edge, -1 at the lower, 0 far away

    def __init__(self, topology: Topology, neutral: Float, pairs: Int, reach: float, press: float = 0.0) -> None:
        """Find what gives way.

        Args:
            topology: of the head.
            neutral: [V, 3] canonical, metres.
            pairs: [P, 2] (upper, lower).
            reach: of what gives way, as a share of the edges' length.
            press: metres by which the edges may overlap, beyond how they rest.
        """
        super().__init__()
        upper, lower = pairs[np.argsort(neutral[pairs[:, 0], 0])].T
        x = 0.5 * (neutral[upper, 0] + neutral[lower, 0])
        far = reach * np.ptp(x)
        ways = _ways(topology, neutral, np.stack([upper, lower]), far)
        near = np.minimum(*ways)
        rows = np.flatnonzero(near < far)
        above, below = (np.minimum(way[rows], far) for way in ways)
        share = (below - above) / np.maximum(below + above, 1e-9) * (1.0 - smoothstep(0.0, far, near[rows]))
        allowed = np.maximum(neutral[lower, 1] - neutral[upper, 1], 0.0) + np.float32(press)
        self.along = LineInterpolation(np.maximum.accumulate(x), neutral[rows, 0])
        for name, value in {"x": x, "allowed": allowed, "share": share.astype(np.float32)}.items():
            self.register_buffer(name, torch.from_numpy(value))
        at = {"upper": upper, "lower": lower, "rows": rows}
        at |= {"_upper_row": np.searchsorted(rows, upper), "_lower_row": np.searchsorted(rows, lower)}
        for name, value in at.items():
            self.register_buffer(name, torch.from_numpy(value.astype(np.int64)))

    def through(self, shapes: Tensor) -> Tensor:
        """[F, P] metres by which the upper edge has come below the lower one, beyond what is allowed."""
        return (shapes[:, self.lower, 1] - shapes[:, self.upper, 1] - self.allowed).clamp(min=0.0)

    def forward(self, shapes: Tensor) -> Tensor:
        """[F, V, 3], crossed edges brought to where they touch, each giving way by half."""
        if not bool(self.through(shapes).any()):  # most of the time
            return shapes
        start = height = shapes[:, self.rows, 1]
        for _ in range(_ROUNDS):
            through = height[:, self._lower_row] - height[:, self._upper_row] - self.allowed
            height = height + 0.5 * self.share * self.along(through.clamp(min=0.0))
        up = shapes.new_tensor((0.0, 1.0, 0.0))
        return shapes.index_add(1, self.rows, (height - start)[..., None] * up)


def _ways(topology: Topology, neutral: Float, edges: Int, far: float) -> Float:
    """[2, V] metres over the skin to the nearest of the upper edge's vertices, and of the lower's; inf: far away."""
    links = np.concatenate([topology.faces[:, [0, 1]], topology.faces[:, [1, 2]], topology.faces[:, [2, 0]]])
    length = np.linalg.norm(neutral[links[:, 0]] - neutral[links[:, 1]], axis=1)
    count = len(neutral)
    graph = sp.coo_matrix((length, (links[:, 0], links[:, 1])), shape=(count, count)).tocsr()
    graph = graph.maximum(graph.T)
    return np.stack([dijkstra(graph, indices=rows, min_only=True, limit=4.0 * far) for rows in edges])
