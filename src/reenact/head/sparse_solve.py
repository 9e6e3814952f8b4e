# SPDX-License-Identifier: Apache-2.0
"""A sparse symmetric system assembled from triangles, solved on the CPU in float64, differentiable by its adjoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu
from torch import Tensor

Int = NDArray[np.int64]

_BLOCK = 12
"""Right-hand sides solved at a time: wider blocks wake the BLAS's threads, which gains nothing and on a busy machine
costs tenfold."""


class TriangleSystem:
    """The pattern of a matrix [N, N] over the free vertices of a mesh: a sum of [3, 3] blocks over its triangles.

    Args:
        faces: [F, 3] vertex indices.
        free: [N] the vertices that are unknowns.
        ties: rows (constant, [V, V]) that are added to the sum.
    """

    def __init__(self, faces: Int, free: Int, ties: sparse.csr_matrix) -> None:
        count = int(ties.get_shape()[0])
        number = np.full(count, -1)
        number[free] = np.arange(len(free))
        self._corners = number[faces]  # [F, 3], -1: not free
        row, column = np.repeat(self._corners, 3, axis=1).ravel(), np.tile(self._corners, (1, 3)).ravel()
        self._inside = (row >= 0) & (column >= 0)
        row, column = row[self._inside], column[self._inside]
        tied = ties[free][:, free].tocoo()
        size = len(free)
        key = np.concatenate([column, tied.col.astype(np.int64)]) * size + np.concatenate([row, tied.row])
        used, place = np.unique(key, return_inverse=True)
        self._place, self._tied_place = place[: len(row)], place[len(row) :]
        self._tied = tied.data
        self._rows = (used % size).astype(np.int32)
        self._starts = np.searchsorted(used // size, np.arange(size + 1)).astype(np.int32)
        self.size = size

    def factorise(self, blocks: Tensor) -> Factorisation:
        """Factorise for blocks [F, 3, 3], float64, of one value of the triangles' geometry."""
        values = blocks.detach().numpy().reshape(-1)[self._inside]
        data = np.bincount(self._place, weights=values, minlength=len(self._rows))
        np.add.at(data, self._tied_place, self._tied)
        matrix = sparse.csc_matrix((data, self._rows, self._starts), shape=(self.size, self.size))
        # Positive definite but for the one-way ties, so diagonal pivots are safe, and three times faster.
        solver = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        return Factorisation(self, blocks, solver)

    def outer(self, left: Tensor, right: Tensor) -> Tensor:
        """[F, 3, 3]: for each pair of a triangle's corners, the product of the rows of [N, K] and [N, K] there."""
        corners = torch.from_numpy(np.where(self._corners < 0, self.size, self._corners))
        padded = [torch.cat([x, x.new_zeros(1, x.shape[1])]) for x in (left, right)]
        return padded[0][corners] @ padded[1][corners].mT


class Factorisation:
    """A factorised `TriangleSystem`, which solves for as many right-hand sides as are asked for."""

    def __init__(self, system: TriangleSystem, blocks: Tensor, solver: SuperLU) -> None:
        self.system, self._blocks, self._solver = system, blocks, solver

    def __call__(self, right: Tensor) -> Tensor:
        """Solution [N, K] for right-hand sides [N, K]; gradients reach them and the triangles' blocks."""
        return _Solve.apply(self._blocks, right, self)

    def solved(self, right: NDArray[np.float64], transposed: bool = False) -> NDArray[np.float64]:
        """Solution for arrays, without gradients."""
        starts = range(0, right.shape[1], _BLOCK)
        side = "T" if transposed else "N"
        return np.concatenate([self._solver.solve(right[:, i : i + _BLOCK], side) for i in starts], axis=1)


class _Solve(torch.autograd.Function):
    """A x = b: the gradient by b is A^-T g, and by A the outer product of that and -x."""

    @staticmethod
    def forward(ctx: Any, blocks: Tensor, right: Tensor, factorisation: Factorisation) -> Tensor:
        out = torch.from_numpy(factorisation.solved(right.detach().numpy()))
        ctx.factorisation = factorisation
        ctx.save_for_backward(out)
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        adjoint = torch.from_numpy(ctx.factorisation.solved(np.ascontiguousarray(grads[0].numpy()), transposed=True))
        (out,) = ctx.saved_tensors
        return -ctx.factorisation.system.outer(adjoint, out), adjoint, None
