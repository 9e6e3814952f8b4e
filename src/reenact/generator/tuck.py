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

from reenact.heads.model import Float, Int
from reenact.heads.regions import region_ids
from reenact.heads.rig import Rig

_BEHIND_M = 0.0003  # behind the line, on an adult's neutral, from where skin counts as the inner side
_SLOPE = 0.3  # metres outwards a metre behind the line: what is flush with it would look out between its vertices


@dataclass(frozen=True)
class Tuck:
    """Inner sides of both lips: N vertices each, and where along the line of the lips they are."""

    lines: tuple[Int, Int]  # [P] vertices that meet: of the upper lip, of the lower, from the person's right to left
    inner: tuple[Int, Int]  # [N] vertices
    place: tuple[Float, Float]  # [N] fractional index into the line
    depth: tuple[Float, Float]  # [N] metres behind it, in a mouth at rest

    def __call__(self, shape: Float) -> Float:
        """[V, 3] canonical -> the same with the inner sides no farther into the opening than the line before them."""
        out = shape.copy()
        for line, inner, place, depth, up in zip(
            self.lines, self.inner, self.place, self.depth, (1.0, -1.0), strict=True
        ):
            edge = shape[line, :2]
            along = np.gradient(edge, axis=0)
            outward = up * np.column_stack([-along[:, 1], along[:, 0]])
            outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
            index = np.arange(len(line))
            at, way = (np.column_stack([np.interp(place, index, c) for c in v.T]) for v in (edge, outward))
            inwards = _SLOPE * depth - ((shape[inner, :2] - at) * way).sum(axis=1)
            out[inner, :2] += np.maximum(inwards, 0.0)[:, None] * way
        return out.astype(np.float32)


def tuck(rig: Rig) -> Tuck:
    """The inner sides of a rig's lips."""
    top = rig.topology
    size = float(np.ptp(rig.joints.eyes[:, 0])) / 0.064
    pairs = top.lip_contacts[np.argsort(rig.neutral[top.lip_contacts[:, 0], 0])]
    lips = top.region_vertices(*region_ids("lips"))
    lips = lips[~np.isin(lips, pairs)]
    line = rig.neutral[pairs].mean(axis=1)
    place = np.interp(rig.neutral[lips, 0], line[:, 0], np.arange(len(line))).astype(np.float32)
    depth = np.interp(rig.neutral[lips, 0], line[:, 0], line[:, 2]) - rig.neutral[lips, 2]
    behind = depth > _BEHIND_M * size
    upper, lower = (_way_to(rig, pairs[:, i])[lips] for i in (0, 1))
    above = upper < lower
    sides = behind & above, behind & ~above

    def split(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return values[sides[0]], values[sides[1]]

    return Tuck((pairs[:, 0], pairs[:, 1]), split(lips), split(place), split(depth.astype(np.float32)))


def _way_to(rig: Rig, rows: Int) -> Float:
    """[V] metres over the lips to the nearest of some vertices."""
    top = rig.topology
    faces = top.faces[top.region_faces(*region_ids("lips"))]
    links = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    length = np.linalg.norm(rig.neutral[links[:, 0]] - rig.neutral[links[:, 1]], axis=1)
    count = len(rig.neutral)
    graph = sp.coo_matrix((length, (links[:, 0], links[:, 1])), shape=(count, count)).tocsr()
    return dijkstra(graph.maximum(graph.T), indices=rows, min_only=True).astype(np.float32)
