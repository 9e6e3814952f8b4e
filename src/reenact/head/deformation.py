# SPDX-License-Identifier: Apache-2.0
"""Deformation transfer between two heads of one topology: the receiver's own version of each facial action.

Sumner and Popovic, "Deformation transfer for triangle meshes", 2004 (doi:10.1145/1015706.1015736), in the
gradient form. With hat functions phi_i on triangles of area A_t, their objective sum_t A_t |S_t - T_t(x)|^2
has, once each triangle's auxiliary fourth vertex is eliminated, the normal equations

    L u = sum_t A_t (S_t - I) grad phi_i,        L = cotangent Laplacian of the target's neutral

for the target's offsets u. The source's gradient S_t - I is linear in the source's offsets o within the
triangle's plane and depends on them only through the turned and stretched normal n across it, so the
right-hand side is two constant sparse matrices: T o + B (n(o) - n(0)). Target equal to source makes
T = L and B = 0: u = o.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu
from scipy.spatial import KDTree

from .contacts import GapRule

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_TINY = np.finfo(np.float64).tiny
_SLIVER = 1e-7
"""A triangle whose height is below this share of its longest edge has no usable gradient and is left out."""
_BLOCK = 12
"""Right-hand sides solved at a time."""
_CONTACT_SOFTNESS = 0.01
"""Compliance of a contact, as a share of the mean compliance of the skin at the contacts."""
_TINY_GAP = 1e-3
"""Gaps below this share of the head's RMS radius (0.1 mm on an adult) have no meaningful direction."""


class DeformationTransfer:
    """Carries offsets of a source head over to a target head; built (and factorised) once per target.

    Both heads must be in one orientation (the canonical head frame) and one unit; sizes may differ.

    Args:
        source_neutral: [V, 3] vertices of the head that the offsets belong to.
        target_neutral: [V, 3] vertices of the receiver, same topology.
        faces: [F, 3] vertex indices.
        anchors: [V] bool, vertices that never move (back of the head); they stay exactly where they are.
        rigid_parts: index arrays of parts moved as a body (teeth, eyeballs): their rotation is kept; their
            translation, and what part of the motion is not rigid, scaled by the ratio of the part's sizes.
        contact_pairs: [P, 2] vertices that meet (lid margins, inner lips). Softly, the target's gap shrinks
            to the same share of its neutral as the source's, so that what closes there closes here. Gaps that
            open far beyond their neutral follow the gradients alone.

    A connected component without anchor that is no rigid part (lashes, tongue) is solved like the rest and
    hung by the quarter of its vertices nearest to the skin, from the skin's motion, and does not pull it.

    Raises:
        ValueError: shapes or indices that do not fit, non-finite vertices, nothing anchored but rigid parts.
    """

    def __init__(
        self,
        source_neutral: ArrayLike,
        target_neutral: ArrayLike,
        faces: ArrayLike,
        *,
        anchors: ArrayLike,
        rigid_parts: Sequence[ArrayLike] = (),
        contact_pairs: ArrayLike | None = None,
    ) -> None:
        source, target = np.asarray(source_neutral, np.float64), np.asarray(target_neutral, np.float64)
        tri, fixed = np.asarray(faces, np.int64), np.asarray(anchors, bool)
        parts = [np.asarray(part, np.int64) for part in rigid_parts]
        pairs = np.asarray([] if contact_pairs is None else contact_pairs, np.int64).reshape(-1, 2)
        _check(source, target, tri, fixed, [*parts, pairs] if len(pairs) else parts)
        self._source, self._target, self._parts, self._anchors = source, target, parts, fixed
        self._head_ratio = _radius(target) / _radius(source)

        hats_s, normal_s, double_area_s, fine_s = _hat_gradients(source, tri)
        hats_t, _, double_area_t, fine_t = _hat_gradients(target, tri)
        fine = fine_s & fine_t
        self._faces, self._normal, self._double_area = tri[fine], normal_s[fine], double_area_s[fine]
        flow = 0.5 * double_area_t[fine, None, None] * hats_t[fine]  # [F, 3, 3] area-weighted, corner x axis
        count = len(source)
        laplacian = _assemble(self._faces, flow @ hats_t[fine].transpose(0, 2, 1), count)
        tangential = _assemble(self._faces, flow @ hats_s[fine].transpose(0, 2, 1), count)
        across = np.einsum("fca,fa->fc", flow, self._normal)
        columns = np.repeat(np.arange(len(self._faces)), 3)
        self._across = sparse.csr_matrix(
            (across.ravel(), (self._faces.ravel(), columns)), shape=(count, len(self._faces))
        )

        rigid = np.zeros(count, bool)
        for part in parts:
            rigid[part] = True
        ties, tie_scale = _ties(source, target, self._faces, fixed, rigid)
        self._tangential = (tangential + sparse.diags(tie_scale) @ ties).tocsr()
        self._free = np.flatnonzero(~(fixed | rigid))
        self._held = np.flatnonzero(rigid & ~fixed)
        if not len(self._free):
            raise ValueError("every vertex is anchored or rigid: there is nothing to transfer by gradients")
        rows = (laplacian + ties).tocsr()[self._free]
        self._coupling = rows[:, self._held]
        # Positive definite but for the one-way ties, so diagonal pivots are safe, and three times faster.
        self._solver = splu(
            rows[:, self._free].tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        self._gaps = None
        if len(pairs):
            tiny = _TINY_GAP * _radius(source)
            self._gaps = GapRule.between(source, target, pairs, size_ratio=self._head_ratio, tiny=tiny)
            self._spread = self._spread_of(self._gaps.pairs)

    def transfer(self, source_offsets: ArrayLike) -> NDArray[np.floating]:
        """The target's offsets for each of the source's actions.

        Args:
            source_offsets: [A, V, 3] offsets from the source's neutral, one row per action.

        Returns:
            [A, V, 3] offsets from the target's neutral, of the input's float type.

        Raises:
            ValueError: wrong shape or non-finite offsets.
        """
        given = np.asarray(source_offsets)
        count = len(self._source)
        if given.shape != (len(given), count, 3) or not given.size or not np.isfinite(given).all():
            raise ValueError(f"source_offsets has shape {given.shape}, wanted finite [A, {count}, 3], A > 0")
        offsets = given.astype(np.float64)
        actions = len(offsets)
        flat = offsets.transpose(1, 0, 2).reshape(count, actions * 3)

        out = np.zeros((count, actions, 3))
        for part in self._parts:
            body, body_t = self._source[part], self._target[part]
            moved = _move_body(body, body_t, offsets[:, part], _size_ratio(body, body_t, self._head_ratio))
            out[part] = moved.transpose(1, 0, 2)
        out[self._anchors] = 0.0
        turned = self._normal_change(offsets).reshape(len(self._faces), actions * 3)
        load = (self._tangential @ flat + self._across @ turned)[self._free]
        load -= self._coupling @ out[self._held].reshape(len(self._held), actions * 3)
        out[self._free] = self._solve(load).reshape(-1, actions, 3)
        if self._gaps is not None:
            missing = self._gaps.missing(flat, out.reshape(count, actions * 3))
            out[self._free] += (self._spread @ missing).reshape(-1, actions, 3)
        result = out.transpose(1, 0, 2)
        return np.ascontiguousarray(result, given.dtype if given.dtype.kind == "f" else np.float64)

    def _normal_change(self, offsets: Float) -> Float:
        """[F, A, 3]: change of the source's normals, each as long as the root of its triangle's stretch."""
        change = np.zeros((len(self._faces), len(offsets), 3))
        moved = (offsets != 0).any(axis=2)
        for action in np.flatnonzero(moved.any(axis=1)):
            active = np.flatnonzero(moved[action][self._faces].any(axis=1))
            corner = (self._source + offsets[action])[self._faces[active]]
            cross = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
            scale = np.sqrt(np.linalg.norm(cross, axis=1) * self._double_area[active])
            # A triangle crushed to nothing has a normal of length 0, not an undefined one.
            unit = cross / np.maximum(scale, _TINY)[:, None]
            change[active, action] = unit - self._normal[active]
        return change

    def _solve(self, load: Float) -> Float:
        """Solution [free, K] for right-hand sides [free, K]."""
        # Wider blocks wake the BLAS's threads, which gains nothing and on a busy machine costs tenfold.
        starts = range(0, load.shape[1], _BLOCK)
        return np.concatenate([self._solver.solve(load[:, i : i + _BLOCK]) for i in starts], axis=1)

    def _spread_of(self, pairs: sparse.csr_matrix) -> Float:
        """[free, P]: offsets of the free vertices that add one unit to each pair's gap."""
        onto = pairs[:, self._free]
        response = self._solve(onto.T.toarray())
        compliance = onto @ response
        # Softness smooths: contours close as a whole, single pairs are not pulled into spikes.
        soft = _CONTACT_SOFTNESS * max(float(np.abs(compliance.diagonal()).mean()), _TINY)
        return np.linalg.solve((compliance + soft * np.eye(len(compliance))).T, response.T).T


def _hat_gradients(vertices: Float, faces: Int) -> tuple[Float, Float, Float, NDArray[np.bool_]]:
    """Per triangle: hat functions' gradients [F, 3, 3], normal [F, 3], double area [F], usable [F]."""
    corner = vertices[faces]
    opposite = np.roll(corner, -2, axis=1) - np.roll(corner, -1, axis=1)  # edge facing each corner
    cross = np.cross(opposite[:, 1], opposite[:, 2])
    double_area = np.linalg.norm(cross, axis=1)
    usable = double_area > _SLIVER * (opposite**2).sum(axis=2).max(axis=1)
    safe = np.where(usable, double_area, 1.0)[:, None]
    normal = cross / safe
    return np.cross(normal[:, None], opposite) / safe[:, None], normal, double_area, usable


def _assemble(faces: Int, blocks: Float, count: int) -> sparse.csr_matrix:
    """[V, V] sum of per-triangle [F, 3, 3] blocks over their corners."""
    rows, columns = np.repeat(faces, 3, axis=1), np.tile(faces, (1, 3))
    return sparse.csr_matrix((blocks.ravel(), (rows.ravel(), columns.ravel())), shape=(count, count))


def _ties(
    source: Float, target: Float, faces: Int, anchors: NDArray[np.bool_], rigid: NDArray[np.bool_]
) -> tuple[sparse.csr_matrix, Float]:
    """Rows [V, V] that hang unanchored components from the skin; each vertex's [V] component's size ratio."""
    count = len(source)
    edges = _assemble(faces, np.ones((len(faces), 3, 3)), count)
    components, label = connected_components(edges, directed=False)

    def having(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.bincount(label[mask], minlength=components) > 0

    soft = having(~rigid)
    supported = soft & having(anchors | rigid)
    skin = np.flatnonzero(supported[label])
    if not len(skin):
        raise ValueError("no vertex outside the rigid parts is anchored: the skin has nothing to hold on to")
    hung, nearest = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    scale = np.ones(count)
    tree = KDTree(source[skin])
    for component in np.flatnonzero(soft & ~supported):
        members = np.flatnonzero(label == component)
        distance, closest = tree.query(source[members])
        roots = distance <= np.quantile(distance, 0.25)
        hung.append(members[roots])
        nearest.append(skin[np.asarray(closest)[roots]])
        scale[members] = _size_ratio(source[members], target[members], _radius(target) / _radius(source))
    row, column = np.concatenate(hung), np.concatenate(nearest)
    values = np.r_[np.ones(len(row)), -np.ones(len(row))]
    matrix = sparse.csr_matrix((values, (np.r_[row, row], np.r_[row, column])), shape=(count, count))
    return matrix, scale


def _move_body(source: Float, target: Float, offsets: Float, ratio: float) -> Float:
    """Offsets [A, N, 3] of a target part [N, 3], `ratio` the size of the source part moved by `offsets`."""
    moved = np.zeros_like(offsets)
    acting = (offsets != 0).any(axis=(1, 2))  # rest stays exactly at rest
    body, body_t = source - source.mean(axis=0), target - target.mean(axis=0)
    shift = offsets[acting].mean(axis=1, keepdims=True)
    displaced = body + offsets[acting] - shift
    u, _, vt = np.linalg.svd(np.einsum("ani,nj->aij", displaced, body))
    u[:, :, 2] *= np.sign(np.linalg.det(u @ vt))[:, None]
    turn = (u @ vt).transpose(0, 2, 1)  # row vectors times `turn`
    moved[acting] = body_t @ turn - body_t + ratio * (shift + displaced - body @ turn)
    return moved


def _radius(vertices: Float) -> float:
    """RMS distance of [N, 3] vertices from their mean."""
    return float(np.sqrt(((vertices - vertices.mean(axis=0)) ** 2).sum(axis=1).mean()))


def _size_ratio(source: Float, target: Float, single: float) -> float:
    """Target's size over source's; `single` where the source is one point."""
    size = _radius(source)
    return _radius(target) / size if size > 0 else single


def _check(source: Float, target: Float, faces: Int, anchors: NDArray[np.bool_], groups: list[Int]) -> None:
    count = len(source)
    for name, array in (("source_neutral", source), ("target_neutral", target)):
        if array.shape != (count, 3) or not np.isfinite(array).all():
            raise ValueError(f"{name} has shape {array.shape}, wanted finite [{count}, 3]")
    if faces.ndim != 2 or faces.shape[1] != 3 or anchors.shape != (count,):
        raise ValueError(f"faces {faces.shape} and anchors {anchors.shape}, wanted [F, 3] and [{count}]")
    for indices in (faces, *groups):
        if indices.size == 0 or indices.min() < 0 or indices.max() >= count:
            raise ValueError(f"faces, rigid parts and contact pairs must hold vertex indices below {count}")
