# SPDX-License-Identifier: Apache-2.0
"""A sparse matrix that multiplies fields on vertices, fast in both directions.

torch's product of a matrix in rows is six times as fast on a CPU as of one in coordinates, but differentiating it
transposes the matrix at every step: here both are kept.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor


class Sparse:
    """[N, M] float32, without gradient of its own."""

    def __init__(self, matrix: csr_matrix) -> None:
        self._rows, self._columns = _to_torch(matrix), _to_torch(csr_matrix(matrix.T))

    def __matmul__(self, fields: Tensor) -> Tensor:
        """[..., M, C] -> [..., N, C]; differentiable, on the fields' device."""
        return self._applied(_Product, fields)

    def smoothed(self, fields: Tensor, rounds: int) -> Tensor:
        """[..., N, C] -> the same, `rounds` times the mean of itself and the product; the matrix is square."""
        return self._applied(_Smoothing, fields, rounds)

    def _applied(self, function: Any, fields: Tensor, *others: int) -> Tensor:
        if fields.device != self._rows.device:
            self._rows, self._columns = self._rows.to(fields.device), self._columns.to(fields.device)
        lead = fields.shape[:-2]
        flat = fields.reshape(-1, *fields.shape[-2:]).permute(1, 0, 2)
        out = function.apply(self._rows, self._columns, flat.reshape(len(flat), -1), *others)
        return out.reshape(len(out), -1, fields.shape[-1]).permute(1, 0, 2).reshape(*lead, len(out), -1)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, columns: Tensor, flat: Tensor) -> Tensor:
        ctx.columns = columns
        return rows @ flat

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, Tensor]:
        return None, None, ctx.columns @ grads[0]


class _Smoothing(torch.autograd.Function):
    """All rounds as one step: recorded and laid out anew one by one they take twice the time."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, columns: Tensor, flat: Tensor, rounds: int) -> Tensor:
        ctx.columns, ctx.rounds = columns, rounds
        for _ in range(rounds):
            flat = 0.5 * (flat + rows @ flat)
        return flat

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, Tensor, None]:
        grad = grads[0]
        for _ in range(ctx.rounds):
            half = 0.5 * grad
            grad = half + ctx.columns @ half
        return None, None, grad, None


def _to_torch(matrix: csr_matrix) -> Tensor:
    matrix.sort_indices()
    arrays = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)
    starts, columns, values = (torch.from_numpy(array) for array in arrays)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        return torch.sparse_csr_tensor(starts, columns, values, matrix.shape, check_invariants=True)
