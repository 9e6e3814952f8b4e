# SPDX-License-Identifier: Apache-2.0
"""The 52 ARKit actions as coefficients of SMPL-X's or FLAME's expressions and a turn of the jaw (experimental)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from .arkit import ACTIONS
from .carry import Laid
from .closest import Float64
from .deformation import DeformationSource
from .mesh import triangle_areas
from .model import ParametricHead, Topology
from .model_file import EXPRESSIONS, SHAPES
from .regions import region_ids
from .skinning import SkinnedModel
from .supplied_parts import Parts

JAW_ACTIONS = ("jawForward", "jawLeft", "jawOpen", "jawRight")
"""Those that may turn the jaw: the open head's others leave its lower teeth where they are."""
_MOVES_M = 1e-5
_LOOSE_M = 5e-5
"""Error, root mean square over the face, that one standard deviation of a coefficient has to be worth."""
_FADE_M = 0.025  # beyond what the open head moves, the model's own motion fades out over that distance
_STEPS = 5
_NUDGE = 1e-3  # radians, of the finite differences by the jaw's turn
_FINE = ("lips", "eyelids")
_INNER = ("mouth_cavity", "eye_socket")


@dataclass(frozen=True, eq=False)
class OwnActions:
    """A = 52 actions, V vertices; float32."""

    expression: Tensor  # [A, 100] standard deviations
    jaw: Tensor  # [A, 3] rotation vector, radians
    offsets: Tensor  # [A, V, 3] metres, what they do to the template; 0 on eyeballs and far from the face
    error_mm: Tensor  # [A] root mean square, over the vertices that the action moves, against what was asked for


def own_actions(model: ParametricHead, on: Laid, parts: Parts, top: Topology, skinned: SkinnedModel) -> OwnActions:
    """Least squares against the open head's actions, carried over to the other head by deformation transfer."""
    wanted = on.back @ _on_placed(model, on).permute(1, 0, 2).reshape(len(on.placed), -1).numpy()
    wanted = np.ascontiguousarray(wanted.reshape(len(parts.rows), -1, 3).transpose(1, 0, 2))
    weight = _worth(parts, top)
    zero = torch.zeros(1, SHAPES), torch.zeros(1, EXPRESSIONS)
    rest = skinned(*zero, {})[0][0].double().numpy()
    expression, jaw = np.zeros((len(ACTIONS), EXPRESSIONS)), np.zeros((len(ACTIONS), 3))
    solve = _Solver(skinned, rest, weight)
    still = solve.by_expression(np.zeros(3))
    jawless = [i for i, name in enumerate(ACTIONS) if name not in JAW_ACTIONS]
    expression[jawless] = solve.codes(still, wanted[jawless])
    for i in (i for i, name in enumerate(ACTIONS) if name in JAW_ACTIONS):
        expression[i], jaw[i] = solve.with_jaw(wanted[i])
    offsets = solve.moved(expression, jaw) * _fade(parts, wanted)[:, None]
    offsets[:, np.concatenate(parts.eyeballs)] = 0.0
    moved = np.linalg.norm(wanted, axis=2) > 3e-4
    square = ((offsets - wanted) ** 2).sum(axis=2)
    error = 1e3 * np.sqrt((square * moved).sum(axis=1) / np.maximum(moved.sum(axis=1), 1))
    return OwnActions(*(torch.from_numpy(x).float() for x in (expression, jaw, offsets, error)))


def _on_placed(model: ParametricHead, on: Laid) -> Tensor:
    """[52, N, 3] the open head's actions on its skin as it lies on the other head."""
    rows, top = on.skin.rows, model.topology
    offsets = model.base_actions[:, rows].double()
    pairs = on.skin.local(torch.cat([top.lip_contacts, top.lid_contacts]).numpy())
    faces, contacts, placed = (torch.from_numpy(value) for value in (on.skin.faces, pairs, on.placed))
    anchors = offsets.abs().amax((0, 2)) < _MOVES_M
    source = DeformationSource(model.base_neutral[rows], faces, anchors=anchors, contact_pairs=contacts)
    return source.onto(placed).transfer(offsets)


def _worth(parts: Parts, top: Topology) -> Float64:
    """[V] share of each vertex in the error: its area, more on lips and lids, little inside; sums to 1."""
    area = triangle_areas(parts.neutral, parts.skin_faces)
    out = np.zeros(len(parts.rows))
    for corner in range(3):
        np.add.at(out, parts.skin_faces[:, corner], area)
    out *= 0.1 + top.face_weight.numpy()  # the rest of the head is there to say that it stays
    out[top.region_vertices(*region_ids(*_INNER))] *= 0.1
    out[top.region_vertices(*region_ids(*_FINE))] *= 4.0
    return out / out.sum()


def _fade(parts: Parts, wanted: Float64) -> Float64:
    """[V] 1 where the open head moves in any action, falling to 0 away from there."""
    moves = np.linalg.norm(wanted, axis=2).max(axis=0) > 1e-4
    away = np.asarray(KDTree(parts.neutral[moves]).query(parts.neutral)[0])
    return np.clip(1.0 - away / _FADE_M, 0.0, 1.0)


class _Solver:
    """Weighted, damped least squares over a model's own coefficients."""

    def __init__(self, skinned: SkinnedModel, rest: Float64, weight: Float64) -> None:
        self._skinned, self._rest, self._root = skinned, rest, np.sqrt(weight)[:, None]

    def moved(self, expression: Float64, jaw: Float64) -> Float64:
        """[B, 100] and [B, 3] -> [B, V, 3] offsets from rest."""
        codes, turn = (torch.from_numpy(value).float() for value in (expression, jaw))
        out = self._skinned(torch.zeros(len(codes), SHAPES), codes, {"jaw": turn})[0]
        return out.double().numpy() - self._rest

    def by_expression(self, jaw: Float64) -> Float64:
        """[100, V, 3] offsets by each coefficient with the jaw turned: vertices are linear in them."""
        codes = np.concatenate([np.zeros((1, EXPRESSIONS)), np.eye(EXPRESSIONS)])
        moved = self.moved(codes, np.tile(jaw, (len(codes), 1)))
        return moved[1:] - moved[0]

    def codes(self, basis: Float64, wanted: Float64) -> Float64:
        """[A, 100] for offsets [A, V, 3]."""
        matrix = (basis * self._root).reshape(len(basis), -1)
        right = matrix @ (wanted * self._root).reshape(len(wanted), -1).T
        return np.linalg.solve(matrix @ matrix.T + _LOOSE_M**2 * np.eye(len(basis)), right).T

    def with_jaw(self, wanted: Float64) -> tuple[Float64, Float64]:
        """[100] and [3] for offsets [V, 3], by Gauss and Newton; the jaw's turn is free, coefficients are dear."""
        expression, jaw = np.zeros(EXPRESSIONS), np.zeros(3)
        price = np.r_[np.full(EXPRESSIONS, _LOOSE_M**2), np.full(3, 1e-12)]
        for _ in range(_STEPS):
            nudges = np.concatenate([jaw + _NUDGE * np.eye(3), jaw - _NUDGE * np.eye(3), jaw[None]])
            moved = self.moved(np.tile(expression, (7, 1)), nudges)
            by_jaw = (moved[:3] - moved[3:6]) / (2 * _NUDGE)
            basis = np.concatenate([self.by_expression(jaw), by_jaw])
            matrix = (basis * self._root).reshape(len(basis), -1)
            lack = ((wanted - moved[6]) * self._root).ravel()
            right = matrix @ lack - price * np.r_[expression, np.zeros(3)]
            step = np.linalg.solve(matrix @ matrix.T + np.diag(price), right)
            expression, jaw = expression + step[:EXPRESSIONS], jaw + step[EXPRESSIONS:]
        return expression, jaw
