# SPDX-License-Identifier: Apache-2.0
"""Laying the open head's skin onto another head, so that what it knows of faces can be carried over.

First its identity is fitted, which keeps a lip a lip; then what no identity explains is taken up by smooth offsets
(non-rigid iterative closest points, after Amberg et al. 2007, doi 10.1109/CVPR.2007.383165, with Laplacian smoothness).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, cg, splu
from scipy.spatial.transform import Rotation

from .closest import Float64, Index, Surface
from .mesh import vertex_normals
from .model import ParametricHead, Topology
from .open import open_head
from .regions import region_ids

_SEEN = ("skin", "ears", "eyelids", "lips", "neck")
"""Regions of the outside; eye sockets and the mouth's cavity are modelled too differently, and only come along."""
_FIT_M = (0.012, 0.008, 0.006, 0.005, 0.004, 0.003, 0.003, 0.002, 0.002, 0.002)
"""Error of a point that counts as one standard deviation, as the identity is fitted."""
_POINTS_WORTH = 120.0  # independent points that the skin's thousands count for, against the identity's prior
_STIFF = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.3)
"""Weight of the offsets' Laplacian, against points, as it falls."""
_CLOSE, _TRIES = 1e-3, 60
"""Relative error at which a step of the offsets is good enough: another follows it."""
_SLIDE = 0.05  # how much a point resists sliding along the surface, against leaving it
_FAR_M = 0.012  # a closest point farther away than that is of something the open head has not
_EYE_M = 0.001


@dataclass(frozen=True)
class Skin:
    """The open head's skin, without eyeballs, teeth, tongue and lashes. N vertices, G triangles."""

    rows: Index  # [N] in the open head
    faces: Index  # [G, 3] into rows
    in_head: Index  # [G] which of the open head's triangles each is
    seen: NDArray[np.bool_]  # [N] whether it is outside, and inside the border
    laplacian: sparse.csr_matrix  # [N, N]

    def local(self, vertices: NDArray[np.integer]) -> Index:
        """Positions in `rows` of some of the open head's vertices, all of them skin."""
        return np.searchsorted(self.rows, vertices)


@lru_cache(maxsize=1)
def open_skin() -> Skin:
    """Found once a process."""
    return _skin(open_head().topology, len(open_head().base_neutral))


def _skin(top: Topology, count: int) -> Skin:
    every = top.faces.numpy()
    edges = np.concatenate([every[:, [0, 1]], every[:, [1, 2]], every[:, [2, 0]]])
    graph = sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(count, count))
    label = connected_components(graph, directed=False)[1]
    mine = label == label[int(top.lip_contacts[0, 0])]
    rows = np.flatnonzero(mine)
    faces = np.searchsorted(rows, every[mine[every[:, 0]]])
    outside = top.region_vertices(*region_ids(*_SEEN)).numpy()
    both = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    once, times = np.unique(both, axis=0, return_counts=True)
    seen = np.isin(rows, outside)
    seen[once[times == 1]] = False
    near = sparse.coo_matrix((np.ones(len(once)), once.T), shape=(len(rows), len(rows))).tocsr()
    near = near + near.T
    mean = sparse.diags(1.0 / np.asarray(near.sum(axis=1)).ravel()) @ near
    return Skin(rows, faces, np.flatnonzero(mine[every[:, 0]]), seen, (sparse.identity(len(rows)) - mean).tocsr())


def lay_on(vertices: Float64, faces: Index, eyes: Float64) -> Float64:
    """Where each vertex of the open head's skin lies on another head.

    Args:
        vertices: [V, 3] of the other head, canonical space, metres.
        faces: [F, 3] of its skin: no eyeballs.
        eyes: [2, 3] the centres of its eyeballs, subject's left first.

    Returns:
        [N, 3] positions of `open_skin().rows`.
    """
    skin, target = open_skin(), Surface(vertices, faces)
    placed = _fit_identity(open_head(), skin, target, eyes)
    for stiffness in _STIFF:
        placed = placed + _offsets(skin, target, placed, stiffness)
    return placed


def _fit_identity(head: ParametricHead, skin: Skin, target: Surface, eyes: Float64) -> Float64:
    """[N, 3] the head's person most like the target, turned and shifted onto it."""
    mean, basis = (x[..., skin.rows, :].double().numpy() for x in head.identity_basis())
    size = len(basis)
    identity, turn, shift = np.zeros(size), np.eye(3), np.zeros(3)
    centre = head.joints(torch.zeros(size)).eyes.double().numpy()
    eye_basis = torch.stack([head.joints(step).eyes for step in torch.eye(size)]).double().numpy() - centre
    for sigma in _FIT_M:
        plain = mean + np.tensordot(identity, basis, axes=1)
        placed = plain @ turn.T + shift
        points, normals, weight = _pairs(skin, target, placed)
        worth = weight * np.sqrt(_POINTS_WORTH / max(weight.sum(), 1.0)) / sigma
        moves = _moves(basis @ turn.T, placed)
        rows = [np.einsum("knc,nc->nk", moves, normals * worth[:, None])]
        lack = [((points - placed) * normals).sum(axis=1) * worth]
        for axis in range(3):  # sliding, a little
            rows.append(moves[:, :, axis].T * (_SLIDE * worth)[:, None])
            lack.append((points - placed)[:, axis] * _SLIDE * worth)
        seen_eyes = (centre + np.tensordot(identity, eye_basis, axes=1)) @ turn.T + shift
        rows.append(_moves(eye_basis @ turn.T, seen_eyes).reshape(size + 6, -1).T / _EYE_M)
        lack.append((eyes - seen_eyes).ravel() / _EYE_M)
        matrix, wanted = np.concatenate(rows), np.concatenate(lack)
        prior = np.r_[np.ones(size), np.zeros(6)]
        normal = matrix.T @ matrix + np.diag(prior + 1e-9)
        step = np.linalg.solve(normal, matrix.T @ wanted - prior * np.r_[identity, np.zeros(6)])
        identity = identity + step[:size]
        more = Rotation.from_rotvec(step[size : size + 3]).as_matrix()
        turn, shift = more @ turn, more @ shift + step[size + 3 :]
    return (mean + np.tensordot(identity, basis, axes=1)) @ turn.T + shift


def _offsets(skin: Skin, target: Surface, placed: Float64, stiffness: float) -> Float64:
    """[N, 3] one step towards the target's surface, as smooth as `stiffness` says.

    Points may slide along the surface, which ties the three axes together: solved by conjugate gradients, with the
    system in which they may not slide, and the axes are apart, for a preconditioner.
    """
    points, normals, weight = _pairs(skin, target, placed)
    count = len(placed)
    outer = weight[:, None, None] * (normals[:, :, None] * normals[:, None] + _SLIDE**2 * np.eye(3))
    wanted = np.einsum("nij,nj->ni", outer, points - placed)
    smooth = stiffness * (skin.laplacian.T @ skin.laplacian) + 1e-5 * sparse.identity(count)
    apart = splu((sparse.diags(0.3 * weight) + smooth).tocsc(), permc_spec="MMD_AT_PLUS_A")
    system = _Operator(count, lambda field: np.einsum("nij,nj->ni", outer, field) + smooth @ field)
    flat, _ = cg(system, wanted.ravel(), rtol=_CLOSE, maxiter=_TRIES, M=_Operator(count, apart.solve))
    return flat.reshape(count, 3)


class _Operator(LinearOperator):
    """A linear function of fields [N, 3], for solvers that know vectors."""

    def __init__(self, count: int, function: Callable[[Float64], Float64]) -> None:
        super().__init__(np.dtype(np.float64), (3 * count, 3 * count))
        self._function = function

    def _matvec(self, x: Float64) -> Float64:
        return self._function(x.reshape(-1, 3)).ravel()


def _pairs(skin: Skin, target: Surface, placed: Float64) -> tuple[Float64, Float64, Float64]:
    """Closest points [N, 3] on the target, its normals [N, 3] there, and what each is worth [N], 0..1."""
    own = vertex_normals(placed, skin.faces)
    hits = target.closest(placed, own)
    alike = np.clip((own * hits.normals).sum(axis=1), 0.0, 1.0)
    return hits.points, hits.normals, skin.seen * alike / (1.0 + (hits.distance / _FAR_M) ** 2) ** 2


def _moves(basis: Float64, points: Float64) -> Float64:
    """[K + 6, P, 3] how points [P, 3] move by K coefficients (`basis`), by turning and by shifting."""
    turns = np.stack([np.cross(axis, points) for axis in np.eye(3)])
    return np.concatenate([basis, turns, np.broadcast_to(np.eye(3)[:, None], turns.shape)])
