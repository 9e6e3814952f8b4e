# SPDX-License-Identifier: Apache-2.0
"""Deformation transfer between two heads of one topology: the target's own version of each facial action.

Sumner and Popovic, "Deformation transfer for triangle meshes", 2004 (doi:10.1145/1015706.1015736), in the
gradient form. With hat functions phi_i on triangles of area A_t, their objective sum_t A_t |S_t - T_t(x)|^2
has, once each triangle's auxiliary fourth vertex is eliminated, the normal equations

    L u = sum_t A_t (S_t - I) grad phi_i,        L = cotangent Laplacian of the target's neutral

for the target's offsets u. The source's gradient S_t - I consists of what its offsets do within the triangle's
plane, and of how they turn and stretch the normal n across it; both are constants of the source. Target equal to
source makes the right-hand side L o: u = o. The result is differentiable in the target's neutral.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from torch import Tensor

from .contacts import GapRule
from .sparse_solve import TriangleSystem

_TINY = float(np.finfo(np.float64).tiny)
_SLIVER = 1e-7
"""A triangle whose height is below this share of its longest edge has no usable gradient and is left out."""
_CONTACT_SOFTNESS = 0.01
"""Compliance of a contact, as a share of the mean compliance of the skin at the contacts."""
_TINY_GAP = 1e-3
"""Gaps below this share of the head's RMS radius (0.1 mm on an adult) have no meaningful direction."""


@dataclass(frozen=True, eq=False)
class SourceMotion:
    """Offsets of the source head, and what of them does not depend on the target. A actions, float64."""

    offsets: Tensor  # [A, V, 3]
    faces: Tensor  # [n] the triangles that any action moves
    gradients: Tensor  # [n, 3, 3 A] S - I of each: axis of the source's space x (action, coordinate)
    bodies: list[tuple[Tensor, Tensor, Tensor]]
    """Of each rigid part: rotation [A, 3, 3] (of rows), mean shift [A, 1, 3], and what is not rigid [A, N, 3]."""


class DeformationSource:
    """A head whose offsets are carried over to others. All tensors are on the CPU.

    Args:
        neutral: [V, 3] vertices of the head that the offsets belong to.
        faces: [F, 3] vertex indices.
        anchors: [V] bool, vertices that never move (back of the head); they stay exactly where they are.
        rigid_parts: indices of the vertices of parts moved as a body (teeth, eyeballs): their rotation is kept; their
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
        neutral: Tensor,
        faces: Tensor,
        *,
        anchors: Tensor,
        rigid_parts: Sequence[Tensor] = (),
        contact_pairs: Tensor | None = None,
    ) -> None:
        self.neutral, self._faces, self.anchors = neutral.double(), faces.long(), anchors
        self.parts = [part.long() for part in rigid_parts]
        self.pairs = torch.empty(0, 2, dtype=torch.long) if contact_pairs is None else contact_pairs.long()
        _check(self.neutral, self._faces, anchors, [*self.parts, self.pairs] if len(self.pairs) else self.parts)
        self._rigid = torch.zeros_like(anchors)
        for part in self.parts:
            self._rigid[part] = True
        self.free = torch.nonzero(~(anchors | self._rigid))[:, 0]
        self.held = torch.nonzero(self._rigid & ~anchors)[:, 0]
        if not len(self.free):
            raise ValueError("every vertex is anchored or rigid: there is nothing to transfer by gradients")
        self.mesh = self._usable(torch.ones(len(self._faces), dtype=torch.bool))
        self.radius = _radius(self.neutral)

    def _usable(self, fine: Tensor) -> UsableMesh:
        hats, normal, double_area, usable = _hat_gradients(self.neutral, self._faces)
        rows = torch.nonzero(usable & fine)[:, 0]
        faces = self._faces[rows]
        ties = _ties(self.neutral, faces, self.anchors, self._rigid)
        system = TriangleSystem(faces.numpy(), self.free.numpy(), ties.matrix)
        return UsableMesh(rows, faces, hats[rows], normal[rows], double_area[rows], ties, system)

    def mesh_for(self, target: Tensor) -> UsableMesh:
        """The triangles that neither head has as a sliver."""
        fine = _hat_gradients(target.detach(), self.mesh.faces)[3]
        if bool(fine.all()):
            return self.mesh
        both = torch.zeros(len(self._faces), dtype=torch.bool)
        both[self.mesh.rows[fine]] = True
        return self._usable(both)

    def motion(self, offsets: Tensor, mesh: UsableMesh | None = None) -> SourceMotion:
        """Prepare offsets [A, V, 3] from the source's neutral, one row an action, for any target.

        Raises ValueError for a wrong shape or non-finite offsets.
        """
        mesh = self.mesh if mesh is None else mesh
        count, shape = len(self.neutral), tuple(offsets.shape)
        if shape != (len(offsets), count, 3) or not offsets.numel() or not bool(offsets.isfinite().all()):
            raise ValueError(f"source_offsets has shape {shape}, wanted finite [A, {count}, 3], A > 0")
        moved = offsets.double()
        bodies = [_body_motion(self.neutral[part], moved[:, part]) for part in self.parts]
        at_corners = (moved != 0).any(-1)[:, mesh.faces].any(-1)  # [A, F]
        active = torch.nonzero(at_corners.any(0))[:, 0]
        corners = moved[:, mesh.faces[active]]  # [A, n, 3, 3]
        within = torch.einsum("fca,kfcx->fakx", mesh.hats[active], corners)
        actions, faces = torch.nonzero(at_corners, as_tuple=True)
        # A triangle crushed to nothing has a normal of length 0, not an undefined one.
        placed = (self.neutral[mesh.faces[faces]]) + moved[actions[:, None], mesh.faces[faces]]
        cross = torch.linalg.cross(placed[:, 1] - placed[:, 0], placed[:, 2] - placed[:, 0])
        scale = (torch.linalg.vector_norm(cross, dim=1) * mesh.double_area[faces]).sqrt().clamp(min=_TINY)
        change = cross / scale[:, None] - mesh.normal[faces]
        number = torch.zeros(len(mesh.faces), dtype=torch.long)
        number[active] = torch.arange(len(active))
        turned = moved.new_zeros(len(active), len(moved), 3)
        turned[number[faces], actions] = change
        gradients = within + mesh.normal[active][:, :, None, None] * turned[:, None]
        return SourceMotion(moved, active, gradients.flatten(2), bodies)

    def onto(self, target: Tensor) -> DeformationTransfer:
        """The transfer to a target's neutral [V, 3]: same topology, orientation and unit; factorised once.

        Raises ValueError for a target that does not fit.
        """
        if target.shape != self.neutral.shape or not bool(target.isfinite().all()):
            raise ValueError(f"target_neutral has shape {list(target.shape)}, wanted finite [{len(self.neutral)}, 3]")
        return DeformationTransfer(self, target)


@dataclass(frozen=True)
class UsableMesh:
    """Triangles that have gradients, F of them, and what hangs on them; float64."""

    rows: Tensor  # [F] of the mesh
    faces: Tensor  # [F, 3]
    hats: Tensor  # [F, 3, 3] gradients of the source's hat functions, corner x axis
    normal: Tensor  # [F, 3]
    double_area: Tensor  # [F]
    ties: _Ties
    system: TriangleSystem


@dataclass(frozen=True)
class _Ties:
    """What hangs components without an anchor from the skin."""

    matrix: sparse.csr_matrix  # [V, V]
    vertices: Tensor  # [n] that hang
    hold: Tensor  # [n] the skin's vertices that they hang from
    component: Tensor  # [n] which component each belongs to
    members: list[Tensor]  # the vertices of each component


class DeformationTransfer:
    """Carries offsets of a source head over to one target head, see `DeformationSource.onto`."""

    def __init__(self, source: DeformationSource, target: Tensor) -> None:
        self._source = source
        self._given = target.dtype
        self._target = neutral = target.cpu().double()
        self._device = target.device
        self._mesh = mesh = source.mesh_for(neutral)
        hats, _, double_area, _ = _hat_gradients(neutral, mesh.faces)
        self._flow = 0.5 * double_area[:, None, None] * hats  # [F, 3, 3] area-weighted, corner x axis
        self._blocks = self._flow @ hats.mT
        self._solve = mesh.system.factorise(self._blocks)
        self._head_ratio = _radius(neutral) / source.radius
        self._gaps: GapRule | None = None
        if len(source.pairs):
            tiny = _TINY_GAP * float(source.radius)
            self._gaps = GapRule.between(source.neutral, neutral, source.pairs, size_ratio=self._head_ratio, tiny=tiny)
            self._spread = self._spread_of(source.pairs)

    def transfer(self, offsets: Tensor | SourceMotion) -> Tensor:
        """The target's offsets for each of the source's actions.

        Args:
            offsets: [A, V, 3] offsets from the source's neutral, one row an action, or what
                `DeformationSource.motion` has prepared of them.

        Returns:
            [A, V, 3] float64 offsets from the target's neutral, differentiable in it, on its device.

        Raises:
            ValueError: wrong shape or non-finite offsets.
        """
        source, mesh = self._source, self._mesh
        if not isinstance(offsets, SourceMotion):
            motion = source.motion(offsets, mesh)
        else:
            motion = offsets if mesh is source.mesh else source.motion(offsets.offsets, mesh)
        actions, count = motion.offsets.shape[:2]
        flat = motion.offsets.permute(1, 0, 2).reshape(count, -1)

        out = torch.zeros_like(flat)
        for part, body in zip(source.parts, motion.bodies, strict=True):
            ratio = _size_ratio(source.neutral[part], self._target[part], self._head_ratio)
            moved = _move_body(self._target[part], body, ratio)
            out = out.index_copy(0, part, moved.permute(1, 0, 2).flatten(1))
        if bool(source.anchors.any()):
            out = out * ~source.anchors[:, None]

        corners = mesh.faces[motion.faces]
        load = torch.zeros_like(flat)
        load = load.index_add(0, corners.flatten(), (self._flow[motion.faces] @ motion.gradients).flatten(0, 1))
        load = load + self._tied(flat) - self._pulled_by_held(out)
        free = source.free
        solved = self._solve(load[free])
        if self._gaps is not None:
            now = out.index_copy(0, free, solved)
            solved = solved + self._spread @ self._gaps.missing(flat, now)
        out = out.index_copy(0, free, solved)
        return out.reshape(count, actions, 3).permute(1, 0, 2).contiguous().to(self._device)

    def _tied(self, flat: Tensor) -> Tensor:
        """[V, 3 A]: what hangs keeps the source's distance from the skin, by its component's own size."""
        ties = self._mesh.ties
        load = torch.zeros_like(flat)
        if not len(ties.vertices):
            return load
        neutral = self._source.neutral
        ratios = torch.stack([_size_ratio(neutral[m], self._target[m], self._head_ratio) for m in ties.members])
        apart = flat[ties.vertices] - flat[ties.hold]
        return load.index_add(0, ties.vertices, ratios[ties.component][:, None] * apart)

    def _pulled_by_held(self, held: Tensor) -> Tensor:
        """[V, 3 A]: L times the offsets [V, 3 A] of rigid parts, for the rows of what is free."""
        load = torch.zeros_like(held)
        if not len(self._source.held):
            return load
        mask = torch.zeros(len(held), dtype=torch.bool)
        mask[self._source.held] = True
        faces = self._mesh.faces
        near = torch.nonzero(mask[faces].any(1))[:, 0]
        values = (held * mask[:, None])[faces[near]]  # [n, 3, 3 A]
        load = load.index_add(0, faces[near].flatten(), (self._blocks[near] @ values).flatten(0, 1))
        ties = self._mesh.ties
        return load.index_add(0, ties.vertices, -(held * mask[:, None])[ties.hold])

    def _spread_of(self, pairs: Tensor) -> Tensor:
        """[free, P]: offsets of the free vertices that add one unit to each pair's gap."""
        free = self._source.free
        number = torch.full((len(self._target),), -1)
        number[free] = torch.arange(len(free))
        rows = number[pairs]  # [P, 2]
        onto = torch.zeros(len(pairs), len(free), dtype=torch.float64)
        for column, sign in ((0, 1.0), (1, -1.0)):
            at = torch.nonzero(rows[:, column] >= 0)[:, 0]
            onto[at, rows[at, column]] += sign
        response = self._solve(onto.T.contiguous())
        compliance = onto @ response
        # Softness smooths: contours close as a whole, single pairs are not pulled into spikes.
        soft = _CONTACT_SOFTNESS * compliance.diagonal().abs().mean().clamp(min=_TINY)
        damped = compliance + soft * torch.eye(len(pairs), dtype=torch.float64)
        return torch.linalg.solve(damped.T, response.T).T


def _hat_gradients(vertices: Tensor, faces: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Per triangle: hat functions' gradients [F, 3, 3], normal [F, 3], double area [F], usable [F]."""
    corner = vertices[faces]
    opposite = corner.roll(-2, 1) - corner.roll(-1, 1)  # edge facing each corner
    cross = torch.linalg.cross(opposite[:, 1], opposite[:, 2])
    square = (cross * cross).sum(1)
    longest = (opposite * opposite).sum(2).amax(1)
    usable = square.sqrt() > _SLIVER * longest
    double_area = torch.where(usable, square, 1.0).sqrt()  # no derivative at nothing
    normal = cross / double_area[:, None]
    hats = torch.linalg.cross(normal[:, None].expand_as(opposite), opposite) / double_area[:, None, None]
    return hats, normal, torch.where(usable, double_area, 0.0), usable


def _ties(source: Tensor, faces: Tensor, anchors: Tensor, rigid: Tensor) -> _Ties:
    """Find the components that hang, and where."""
    count = len(source)
    rows, columns = faces.repeat_interleave(3, dim=1).flatten().numpy(), faces.repeat(1, 3).flatten().numpy()
    edges = sparse.csr_matrix((np.ones(rows.size), (rows, columns)), shape=(count, count))
    components, labels = connected_components(edges, directed=False)
    label = torch.from_numpy(labels)

    def having(mask: Tensor) -> Tensor:
        return label[mask].bincount(minlength=components) > 0

    soft = having(~rigid)
    supported = soft & having(anchors | rigid)
    skin = torch.nonzero(supported[label])[:, 0]
    if not len(skin):
        raise ValueError("no vertex outside the rigid parts is anchored: the skin has nothing to hold on to")
    nothing = torch.empty(0, dtype=torch.long)
    hung, nearest, which, every = [nothing], [nothing], [nothing], []
    tree = KDTree(source[skin].numpy())
    for component in torch.nonzero(soft & ~supported)[:, 0]:
        members = torch.nonzero(label == component)[:, 0]
        distance, closest = (torch.from_numpy(found) for found in tree.query(source[members].numpy()))
        roots = distance <= distance.quantile(0.25)
        hung.append(members[roots])
        nearest.append(skin[closest[roots]])
        which.append(torch.full((int(roots.sum()),), len(every)))
        every.append(members)
    vertices, hold = torch.cat(hung), torch.cat(nearest)
    values = np.r_[np.ones(len(vertices)), -np.ones(len(vertices))]
    entries = torch.cat([vertices, vertices]).numpy(), torch.cat([vertices, hold]).numpy()
    matrix = sparse.csr_matrix((values, entries), shape=(count, count))
    return _Ties(matrix, vertices, hold, torch.cat(which), every)


def _body_motion(body: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Offsets [A, N, 3] of a part [N, 3]: its rotation (of rows), its mean shift, and what is not rigid."""
    centred = body - body.mean(0)
    shift = offsets.mean(1, keepdim=True)
    displaced = centred + offsets - shift
    u, _, vt = torch.linalg.svd(torch.einsum("ani,nj->aij", displaced, centred))
    u = torch.cat([u[:, :, :2], u[:, :, 2:] * torch.linalg.det(u @ vt).sign()[:, None, None]], 2)
    turn = (u @ vt).mT
    still = ~(offsets != 0).any(2).any(1)  # rest stays exactly at rest
    turn[still] = torch.eye(3, dtype=turn.dtype)
    apart = displaced - centred @ turn
    apart[still] = 0.0
    return turn, shift, apart


def _move_body(target: Tensor, motion: tuple[Tensor, Tensor, Tensor], ratio: Tensor) -> Tensor:
    """Offsets [A, N, 3] of a target part [N, 3], `ratio` the size of the source part that moved so."""
    turn, shift, apart = motion
    centred = target - target.mean(0)
    return centred @ turn - centred + ratio * (shift + apart)


def _radius(vertices: Tensor) -> Tensor:
    """RMS distance of [N, 3] vertices from their mean."""
    return (vertices - vertices.mean(0)).pow(2).sum(1).mean().sqrt()


def _size_ratio(source: Tensor, target: Tensor, single: Tensor) -> Tensor:
    """Target's size over source's; `single` where the source is one point."""
    size = _radius(source)
    return _radius(target) / size if size > 0 else single


def _check(source: Tensor, faces: Tensor, anchors: Tensor, groups: list[Tensor]) -> None:
    count = len(source)
    if source.shape != (count, 3) or not bool(source.isfinite().all()):
        raise ValueError(f"source_neutral has shape {tuple(source.shape)}, wanted finite [{count}, 3]")
    if faces.ndim != 2 or faces.shape[1] != 3 or anchors.shape != (count,):
        found = f"faces {tuple(faces.shape)} and anchors {tuple(anchors.shape)}"
        raise ValueError(f"{found}, wanted [F, 3] and [{count}]")
    for indices in (faces, *groups):
        if indices.numel() == 0 or indices.min() < 0 or indices.max() >= count:
            raise ValueError(f"faces, rigid parts and contact pairs must hold vertex indices below {count}")
