# SPDX-License-Identifier: Apache-2.0
"""Constraint that edges of skin touch and do not pass through one another: lips, and lids at their corners."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from scipy.sparse.csgraph import dijkstra
from torch import Tensor, nn

from .model import Topology
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

    def __init__(self, topology: Topology, neutral: Tensor, pairs: Tensor, reach: float, press: float = 0.0) -> None:
        """Find what gives way.

        Args:
            topology: of the head.
            neutral: [V, 3] canonical, metres.
            pairs: [P, 2] (upper, lower).
            reach: of what gives way, as a share of the edges' length.
            press: metres by which the edges may overlap, beyond how they rest.
        """
        super().__init__()
        pairs = pairs.to(neutral.device)
        upper, lower = pairs[neutral[pairs[:, 0], 0].detach().argsort()].unbind(1)
        x = 0.5 * (neutral[upper, 0] + neutral[lower, 0])
        far = reach * (x.amax() - x.amin())
        above, below = (geodesic_distances(topology.faces, neutral, edge, 4.0 * far.item()) for edge in (upper, lower))
        near = torch.minimum(above, below)
        rows = torch.nonzero(near < far)[:, 0]
        above, below, near = (torch.minimum(way[rows], far) for way in (above, below, near))
        fade = 1.0 - smoothstep(0.0, 1.0, near / far)
        share = (below - above) / (below + above).clamp(min=1e-9) * fade
        allowed = (neutral[lower, 1] - neutral[upper, 1]).clamp(min=0.0) + press
        self.along = LineInterpolation(x.cummax(0).values, neutral[rows, 0])
        for name, value in {"x": x, "allowed": allowed, "share": share, "rows": rows}.items():
            self.register_buffer(name, value)
        for name, value in {"upper": upper, "lower": lower}.items():
            self.register_buffer(name, value.contiguous())
            self.register_buffer(f"_{name}_row", torch.searchsorted(rows, value.contiguous()))

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


def geodesic_distances(faces: Tensor, vertices: Tensor, sources: Tensor, limit: float = float("inf")) -> Tensor:
    """Distances over a mesh's edges to the nearest of some vertices.

    Args:
        faces: [F, 3].
        vertices: [V, 3] metres.
        sources: [n] rows of vertices.
        limit: metres beyond which no way is looked for.

    Returns:
        [V] metres, inf where there is no way; differentiable along the shortest ways.
    """
    at = vertices.detach().cpu().double().numpy()
    links = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).cpu().numpy()
    length = np.linalg.norm(at[links[:, 0]] - at[links[:, 1]], axis=1)
    graph = sp.coo_matrix((length, (links[:, 0], links[:, 1])), shape=(len(at), len(at))).tocsr()
    graph = graph.maximum(graph.T)
    distance, before, _ = dijkstra(
        graph, indices=sources.cpu().numpy(), min_only=True, limit=limit, return_predecessors=True
    )
    reached = np.isfinite(distance)
    starts = np.flatnonzero(reached)
    who, here = starts, starts
    entries: list[tuple[np.ndarray, ...]] = []
    while len(who := who[before[here] >= 0]):
        here = here[before[here] >= 0]
        entries.append((who, here, before[here]))
        here = before[here]
    out = vertices.new_zeros(len(at))
    if entries:
        whose, a, b = (
            torch.from_numpy(np.concatenate(e).astype(np.int64)).to(vertices.device) for e in zip(*entries, strict=True)
        )
        out = out.index_add(0, whose, torch.linalg.vector_norm(vertices[a] - vertices[b], dim=1))
    return torch.where(torch.from_numpy(reached).to(out.device), out, torch.inf)


def line_places(line: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    """Find where values lie on a line of Q rising coordinates.

    Args:
        line: [Q].
        at: [n].

    Returns:
        [n] places of the line that come before the values, and [n] how far on the way to the next place they are, 0 to
        1; beyond the ends: as at the end.
    """
    before = torch.searchsorted(line.detach().contiguous(), at.detach().contiguous(), right=True) - 1
    before = before.clamp(0, len(line) - 2)
    start = line[before]
    step = line[before + 1] - start
    share = (at - start) / torch.where(step > 0, step, 1.0)
    return before, torch.where(step > 0, share, (at >= start).to(share)).clamp(0.0, 1.0)


class LineInterpolation(nn.Module):
    """Linear interpolation at n vertices, each between two of Q places of a line."""

    before: Tensor  # [n] of the Q
    share: Tensor  # [n] of the next place

    def __init__(self, line: Tensor, at: Tensor) -> None:
        """line: [Q] rising coordinate of the places; at: [n] of the vertices. Beyond the ends: as at the end."""
        super().__init__()
        before, share = line_places(line, at)
        self.register_buffer("before", before)
        self.register_buffer("share", share)

    def forward(self, values: Tensor) -> Tensor:
        """[F, Q, ...] -> [F, n, ...]"""
        share = self.share.reshape(-1, *[1] * (values.ndim - 2))
        return torch.lerp(values[:, self.before], values[:, self.before + 1], share)
