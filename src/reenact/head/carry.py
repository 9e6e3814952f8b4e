# SPDX-License-Identifier: Apache-2.0
"""What the open head knows of faces, carried over to another mesh that its skin has been laid on (registration.py)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from reenact.media import InputError

from .closest import Float64, Index, Surface
from .mesh import vertex_normals
from .model import Float, Int, ParametricHead, Topology
from .regions import EYEBALL, region_ids
from .registration import Skin
from .supplied_parts import Parts

_TURN_M = 0.008  # see closest.Surface
_IRIS_M = 0.00585
"""Radius of an iris (Bron, Wolff's Anatomy of the Eye), for an eyeball as large as the open head's."""
_EYEBALL_M = 0.01495
_IRIS_ROWS = ((473, 0), (468, 1))  # first landmark of the left and of the right iris
_OFF_M = 0.003
"""Median distance beyond which nothing has been laid on anything; synthetic heads have 0.2 mm."""
_FEWEST = 3  # pairs of an eye, or of the lips


@dataclass(frozen=True)
class Laid:
    """The open head's skin on another head, and the way back."""

    skin: Skin
    placed: Float64  # [N, 3] of skin.rows
    back: sparse.csr_matrix  # [V, N] vertices of the other head from the open head's skin; eyeballs' rows are empty


def laid(skin: Skin, placed: Float64, parts: Parts) -> Laid:
    """Find for each skin vertex of the other head its place on the open head's skin."""
    normals = vertex_normals(parts.neutral, parts.skin_faces)[parts.skin]
    hits = Surface(placed, skin.faces, _TURN_M).closest(parts.neutral[parts.skin], normals)
    off = float(np.median(hits.distance))
    if off > _OFF_M:
        raise InputError(f"the model's template is {1e3 * off:.1f} mm off a human head laid on it; want a face at rest")
    rows = np.repeat(parts.skin, 3)
    entries = (hits.weights.ravel(), (rows, skin.faces[hits.face].ravel()))
    return Laid(skin, placed, sparse.csr_matrix(entries, shape=(len(parts.rows), len(skin.rows))))


def topology(model: ParametricHead, on: Laid, parts: Parts) -> Topology:
    """The other head's mesh facts. Raises InputError where lips or lids cannot be found on it."""
    top = model.topology
    uv, uv_faces, closest = _uv(top, on, parts, model.base_neutral.numpy())
    face_weight = on.back @ top.face_weight.double().numpy()[on.skin.rows]
    face_weight[np.concatenate(parts.eyeballs)] = 1.0
    landmark_vertices, landmark_weights = _landmarks(top, on, parts)
    found = {
        "faces": parts.faces,
        "regions": np.concatenate([top.regions.numpy()[closest], _eye_regions(parts)]),
        "uv": uv,
        "uv_faces": uv_faces,
        "mirror": _mirror(parts),
        "face_weight": np.clip(face_weight, 0.0, 1.0).astype(np.float32),
        "head_weight": parts.head_weight,
        "lip_contacts": _contacts(top.lip_contacts.numpy(), on, parts, "lips"),
        "lid_contacts": _contacts(top.lid_contacts.numpy(), on, parts, "lids"),
        "landmark_vertices": landmark_vertices,
        "landmark_weights": landmark_weights,
    }
    return Topology(**{name: torch.from_numpy(value) for name, value in found.items()})


def _eye_regions(parts: Parts) -> NDArray[np.uint8]:
    """Of the eyeballs' triangles, which are the last: iris or sclera by the angle off straight ahead."""
    faces = parts.faces[len(parts.skin_faces) :]
    middle = parts.neutral[faces].mean(axis=1)
    away = middle - parts.eyes[np.where(middle[:, 0] > 0, 0, 1)]
    ahead = away[:, 2] / np.linalg.norm(away, axis=1)
    iris = ahead > np.cos(np.arcsin(_IRIS_M / _EYEBALL_M))
    return np.where(iris, *region_ids("iris", "sclera")).astype(np.uint8)


def _radius(parts: Parts, side: int) -> float:
    return float(np.median(np.linalg.norm(parts.neutral[parts.eyeballs[side]] - parts.eyes[side], axis=1)))


def _mirror(parts: Parts) -> Int:
    """[V] the vertex nearest to each one's reflection; eyeballs among themselves."""
    kind = np.zeros((len(parts.rows), 1))
    kind[np.concatenate(parts.eyeballs)] = 1.0
    normals = vertex_normals(parts.neutral, parts.faces)
    flip = np.asarray([-1.0, 1.0, 1.0])
    own = np.hstack([parts.neutral, _TURN_M * normals, kind])
    other = np.hstack([parts.neutral * flip, _TURN_M * normals * flip, kind])
    return np.asarray(KDTree(own).query(other)[1], np.int64)


def _contacts(pairs: Int, on: Laid, parts: Parts, what: str) -> Int:
    """[P, 2] (upper, lower) vertices of the other head for pairs of the open one; each vertex at most once."""
    tree = KDTree(np.hstack([parts.neutral, _TURN_M * vertex_normals(parts.neutral, parts.skin_faces)])[parts.skin])
    place = np.hstack([on.placed, _TURN_M * vertex_normals(on.placed, on.skin.faces)])
    found = parts.skin[np.asarray(tree.query(place[on.skin.local(pairs).ravel()])[1])].reshape(-1, 2)
    middle = on.placed[on.skin.local(pairs)].mean(axis=1)
    apart = np.linalg.norm(parts.neutral[found].mean(axis=1) - middle, axis=1)
    kept: list[tuple[int, int]] = []
    taken: set[int] = set()
    for upper, lower in found[np.argsort(apart)].tolist():
        # The lower of two lips is the one that goes with the jaw; lids are told apart by where they are.
        sure = parts.jaw_weight[lower] > parts.jaw_weight[upper] if what == "lips" else True
        if sure and upper != lower and not {upper, lower} & taken:
            kept.append((upper, lower))
            taken |= {upper, lower}
    left = [pair for pair in kept if parts.neutral[pair[0], 0] > 0]
    if min(len(left), len(kept) - len(left)) < _FEWEST:
        raise InputError(
            f"the model's {what} could not be found by laying the open head on it; want a human face at rest"
        )
    return np.asarray(sorted(kept), np.int64)


def _landmarks(top: Topology, on: Laid, parts: Parts) -> tuple[Int, Float]:
    """[478, 3] vertices and weights: of the skin by where the open head's lie, of the irises on the eyeballs."""
    of_open = top.landmark_vertices.numpy()
    known = np.asarray(np.isin(of_open, on.skin.rows).all(axis=1))
    corners = on.skin.local(of_open[known])
    mix = top.landmark_weights.double().numpy()[known]
    points = np.einsum("lkc,lk->lc", on.placed[corners], mix)
    normals = np.einsum("lkc,lk->lc", vertex_normals(on.placed, on.skin.faces)[corners], mix)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    vertices, weights = np.zeros((len(known), 3), np.int64), np.zeros((len(known), 3))
    hits = Surface(parts.neutral, parts.skin_faces, _TURN_M).closest(points, normals)
    vertices[known], weights[known] = parts.skin_faces[hits.face], hits.weights
    ball_faces = parts.faces[len(parts.skin_faces) :]
    for first, side in _IRIS_ROWS:
        own = ball_faces[np.isin(ball_faces, parts.eyeballs[side]).all(axis=1)]
        radius = _radius(parts, side)
        ring = _IRIS_M / _EYEBALL_M * radius * np.asarray([(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)])
        ahead = np.concatenate([ring, np.sqrt(radius**2 - (ring**2).sum(axis=1))[:, None]], axis=1)
        hits = Surface(parts.neutral, own, _TURN_M).closest(parts.eyes[side] + ahead, ahead / radius)
        vertices[first : first + 5], weights[first : first + 5] = own[hits.face], hits.weights
    return vertices, weights.astype(np.float32)


def _uv(top: Topology, on: Laid, parts: Parts, base: Float) -> tuple[Float, Int, Index]:
    """The open head's layout [T, 2], [F, 3] on the other mesh, so that textures fit both; and for each of the other's
    skin triangles [G] the closest of the open head's.

    A triangle lies wholly in the chart of the closest triangle: corners across a seam are put on the chart's edge.
    """
    count = len(parts.skin_faces)
    of_open, of_open_uv, open_uv = top.faces.numpy(), top.uv_faces.numpy(), top.uv.numpy()
    pieces = [_Piece(np.arange(count), on.placed, on.skin.faces, on.skin.in_head)]
    eyeball = top.region_faces(*region_ids(*EYEBALL)).numpy()
    for side in range(2):
        own = np.flatnonzero(eyeball & ((base[of_open[:, 0], 0] > 0) == (side == 0)))
        globe = base[np.unique(of_open[own])].astype(np.float64)
        scale = _radius(parts, side) / np.median(np.linalg.norm(globe - globe.mean(axis=0), axis=1))
        moved = (base - globe.mean(axis=0)) * scale + parts.eyes[side]
        mine = np.isin(parts.faces, parts.eyeballs[side]).all(axis=1)
        pieces.append(_Piece(np.flatnonzero(mine), moved, of_open[own], own))
    normals, charts = vertex_normals(parts.neutral, parts.faces), _charts(of_open_uv)
    table: list[Float64] = []
    uv_faces = np.zeros(parts.faces.shape, np.int64)
    for piece in pieces:
        closest = piece.closest(parts)
        for chart in np.unique(charts[closest]):
            inside = charts[piece.in_head] == chart
            rows = piece.rows[charts[closest] == chart]
            corners, where = np.unique(parts.faces[rows], return_inverse=True)
            hits = Surface(piece.vertices, piece.faces[inside], _TURN_M).closest(
                parts.neutral[corners], normals[corners]
            )
            in_head = piece.in_head[inside][hits.face]
            uv_faces[rows] = where.reshape(-1, 3) + sum(len(part) for part in table)
            table.append(np.einsum("nkc,nk->nc", open_uv[of_open_uv[in_head]], hits.weights))
    return np.concatenate(table).astype(np.float32), uv_faces, pieces[0].closest(parts)


@dataclass(frozen=True)
class _Piece:
    """Triangles of the other head, and the part of the open one that they get their coordinates from."""

    rows: Index  # [n] triangles of the other head
    vertices: Float64  # of the open head's part, where it lies on the other
    faces: Index  # [m, 3] its triangles
    in_head: Index  # [m] which of the open head's triangles they are

    def closest(self, parts: Parts) -> Index:
        """[n] the open head's triangle closest to each."""
        a, b, c = (parts.neutral[parts.faces[self.rows, k]] for k in range(3))
        normals = np.cross(b - a, c - a)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        return self.in_head[Surface(self.vertices, self.faces, _TURN_M).closest((a + b + c) / 3, normals).face]


def _charts(uv_faces: Int) -> Index:
    """[F] which connected piece of the texture each triangle is in."""
    count = int(uv_faces.max()) + 1
    edges = np.concatenate([uv_faces[:, [0, 1]], uv_faces[:, [1, 2]]])
    graph = sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count))
    return connected_components(graph, directed=False)[1][uv_faces[:, 0]].astype(np.int64)
