# SPDX-License-Identifier: Apache-2.0
"""Lips end where they meet: their inner side lies behind that line, also when the mouth opens wide.

The actions move the line where the lips meet farther than the rows of vertices behind it, which then hang into the
opening: lips would swell to a thick ring as the mouth opens, and the opening be smaller than the performer's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import dijkstra

from reenact.head.model import Float, Int, Topology
from reenact.head.regions import region_ids
from reenact.head.rig import Rig

from .filters import smoothstep

_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)  # landmarks of the inner lips, from the person's right
_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
_BEHIND_M = 0.0003  # behind the line, on an adult's neutral, from where skin counts as the inner side
_APART_M = (0.0010, 0.0035)  # distance of the lips from where on they stand apart
_SLOPE = 0.3  # metres outwards a metre behind the line: what is flush with it would look out between its vertices


@dataclass(frozen=True)
class Tuck:
    """Inner sides of both lips: N vertices each, and where along the line of the lips they are."""

    topology: Topology
    inner: tuple[Int, Int]  # [N] vertices
    place: tuple[Float, Float]  # [N] fractional index into the line
    depth: tuple[Float, Float]  # [N] metres behind it, in a mouth at rest

    def __call__(self, shape: Float) -> Float:
        """[V, 3] canonical -> the same with the inner sides no farther into the opening than the line before them."""
        out = shape.copy()
        lines = lip_lines(self.topology, shape)[..., :2]
        for side, (edge, apart, up) in enumerate(zip(lines, self.apart(shape), (1.0, -1.0), strict=True)):
            inner, place = self.inner[side], self.place[side]
            along = np.gradient(edge, axis=0)
            outward = up * np.column_stack([-along[:, 1], along[:, 0]])
            outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
            index = np.arange(len(edge))
            at, way = (np.column_stack([np.interp(place, index, c) for c in v.T]) for v in (edge, outward))
            inwards = _SLOPE * self.depth[side] - ((shape[inner, :2] - at) * way).sum(axis=1)
            out[inner, :2] += (apart * np.maximum(inwards, 0.0))[:, None] * way
        return out.astype(np.float32)

    def apart(self, shape: Float) -> tuple[Float, Float]:
        """[N] whether the lips stand apart at the place of each inner vertex, 0 to 1: where they touch, soft flesh
        fills what is left between them."""
        upper, lower = lip_lines(self.topology, shape)
        share = smoothstep(*_APART_M, np.linalg.norm(upper - lower, axis=1))
        index = np.arange(len(upper))
        above, below = (np.interp(place, index, share).astype(np.float32) for place in self.place)
        return above, below


def lip_lines(topology: Topology, values: Float) -> Float:
    """[V, C] -> [2, P, C] along the line where the lips meet, on the upper and the lower, from the person's right."""
    rows = np.asarray([_UPPER, _LOWER])
    return np.einsum("lpkc,lpk->lpc", values[topology.landmark_vertices[rows]], topology.landmark_weights[rows])


def tuck(rig: Rig) -> Tuck:
    """The inner sides of a rig's lips."""
    top = rig.topology
    size = float(np.ptp(rig.joints.eyes[:, 0])) / 0.064
    pairs = top.lip_contacts
    lips = top.region_vertices(*region_ids("lips"))
    line = lip_lines(top, rig.neutral).mean(axis=0)
    place = np.interp(rig.neutral[lips, 0], line[:, 0], np.arange(len(line))).astype(np.float32)
    depth = np.interp(rig.neutral[lips, 0], line[:, 0], line[:, 2]) - rig.neutral[lips, 2]
    behind = depth > _BEHIND_M * size
    upper, lower = (_way_to(rig, pairs[:, i])[lips] for i in (0, 1))
    above = upper < lower
    sides = behind & above, behind & ~above

    def split(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return values[sides[0]], values[sides[1]]

    return Tuck(top, split(lips), split(place), split(depth.astype(np.float32)))


def _way_to(rig: Rig, rows: Int) -> Float:
    """[V] metres over the lips to the nearest of some vertices."""
    top = rig.topology
    faces = top.faces[top.region_faces(*region_ids("lips"))]
    links = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    length = np.linalg.norm(rig.neutral[links[:, 0]] - rig.neutral[links[:, 1]], axis=1)
    count = len(rig.neutral)
    graph = sp.coo_matrix((length, (links[:, 0], links[:, 1])), shape=(count, count)).tocsr()
    return dijkstra(graph.maximum(graph.T), indices=rows, min_only=True).astype(np.float32)
