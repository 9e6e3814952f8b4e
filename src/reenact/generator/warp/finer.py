# SPDX-License-Identifier: Apache-2.0
"""The mesh with its lips divided further: half a lip spans a dozen triangles, and an open mouth shows their corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.head.mesh import cut_faces
from reenact.head.model import Float, Int
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape

_SMOOTH = region_ids("lips", "tongue")
_LONGEST_M = 0.0020  # edges of those regions are halved until they are shorter, on an adult's neutral,
_ROUNDS = 2  # or this often
_STRAIGHT = 0.7  # cosine above which an edge is taken to go on as another
_Level = tuple[Int, Float]  # vertices [N, 4] that a new vertex is a sum of, and their shares [N, 4]


@dataclass(frozen=True)
class Surface:
    """Triangles to draw; values of its first V vertices say those of the others."""

    faces: Tensor  # [F, 3]
    regions: NDArray[np.uint8]  # [F]
    levels: tuple[_Level, ...] = ()

    def on_all(self, values: Float) -> Float:
        """[V, C] -> [V + N, C]: positions become those of smooth curves, other values go along."""
        for rows, shares in self.levels:
            new = np.einsum("nkc,nk->nc", values[rows], shares)
            values = np.concatenate([values, new.astype(values.dtype)])
        return values


def finer(head: HeadShape, near: NDArray[np.bool_]) -> Surface:
    """The head's triangles at vertices `near` [V], those of lips and tongue divided; where these end, their neighbours
    are cut to fit."""
    shown = near[head.topology.faces].any(axis=1)
    faces, regions = head.topology.faces[shown].astype(np.int32), head.topology.regions[shown]
    points = head.neutral.numpy()
    longest = _LONGEST_M * float(np.ptp(head.eyes.numpy()[:, 0])) / 0.064
    levels: list[_Level] = []
    for _ in range(_ROUNDS):
        edges = _edges(faces[np.isin(regions, _SMOOTH)])
        edges = edges[np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1) > longest]
        if not len(edges):
            break
        level = _curves(points, faces, edges)
        middle = {(int(a), int(b)): len(points) + i for i, (a, b) in enumerate(edges)}
        faces, source = cut_faces(faces, lambda a, b, m=middle: m.get((min(a, b), max(a, b)), -1))
        regions = regions[source]
        points = Surface(torch.empty(0), regions, (level,)).on_all(points)
        levels.append(level)
    return Surface(torch.from_numpy(faces), regions, tuple(levels))


def _edges(faces: Int) -> Int:
    """[E, 2] every edge once, smaller vertex first."""
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return np.unique(np.sort(pairs, axis=1), axis=0).astype(np.int32)


def _curves(points: Float, faces: Int, edges: Int) -> _Level:
    """The middle of each edge on a smooth curve through the mesh: the four-point scheme (Dyn, Levin, Gregory 1987)."""
    near: dict[int, list[int]] = {int(v): [] for v in np.unique(edges)}
    for a, b in _edges(faces).tolist():
        if a in near:
            near[a].append(b)
        if b in near:
            near[b].append(a)

    def before(a: int, b: int) -> int:
        """The vertex from which an edge comes straight to `a` and on to `b`; -1 if there is none."""
        others = np.asarray([n for n in near[a] if n != b])
        ways = points[a] - points[others]
        onward = points[b] - points[a]
        straight = ways @ onward / (np.linalg.norm(ways, axis=1) * np.linalg.norm(onward) + 1e-12)
        return int(others[straight.argmax()]) if straight.max() > _STRAIGHT else -1

    rows, shares = np.empty((len(edges), 4), np.int32), np.empty((len(edges), 4), np.float32)
    for i, (a, b) in enumerate(edges.tolist()):
        ends = before(a, b), before(b, a)
        rows[i] = a, b, *(end if end >= 0 else a for end in ends)
        # Where a curve ends it is taken to go on straight, so that its last piece is bent at one side only.
        pull = [1 / 16 if end >= 0 else 0.0 for end in ends]
        shares[i] = 0.5 + sum(pull) / 2, 0.5 + sum(pull) / 2, -pull[0], -pull[1]
    return rows, shares
