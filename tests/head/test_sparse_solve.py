# SPDX-License-Identifier: Apache-2.0
"""A system assembled from triangles is the dense one, and so are its derivatives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import sparse
from torch import Tensor

from reenact.head.sparse_solve import TriangleSystem

FACES = np.asarray([[0, 1, 2], [1, 3, 2], [2, 3, 4], [3, 5, 4]])
FREE = np.asarray([1, 2, 3, 5])


def ties() -> sparse.csr_matrix:
    """Vertex 5 hangs from vertex 1."""
    return sparse.csr_matrix(([0.5, -0.5], ([5, 5], [5, 1])), shape=(6, 6))


def drawn() -> tuple[Tensor, Tensor]:
    """Blocks of triangles, made definite, and right-hand sides."""
    draw = np.random.default_rng(0)
    blocks = draw.normal(size=(4, 3, 3))
    blocks = blocks @ blocks.transpose(0, 2, 1) + 2.0 * np.eye(3)
    return torch.from_numpy(blocks), torch.from_numpy(draw.normal(size=(4, 14)))


def dense(blocks: Tensor) -> Tensor:
    whole = torch.from_numpy(ties().toarray())
    for face, block in zip(torch.from_numpy(FACES), blocks, strict=True):
        whole = whole.index_put((face[:, None], face[None]), block, accumulate=True)
    return whole[FREE][:, FREE]


def test_the_solution_is_that_of_the_dense_matrix() -> None:
    blocks, right = drawn()
    factorisation = TriangleSystem(FACES, FREE, ties()).factorise(blocks)
    torch.testing.assert_close(factorisation(right), torch.linalg.solve(dense(blocks), right))


@pytest.mark.parametrize("which", [0, 1])
def test_gradients_are_those_of_the_dense_solution(which: int) -> None:
    weight = torch.from_numpy(np.random.default_rng(1).normal(size=(4, 14)))
    given = [x.requires_grad_() for x in drawn()]
    sparse_out = TriangleSystem(FACES, FREE, ties()).factorise(given[0])(given[1])
    dense_out = torch.linalg.solve(dense(given[0]), given[1])
    mine, wanted = (torch.autograd.grad((out * weight).sum(), given[which])[0] for out in (sparse_out, dense_out))
    torch.testing.assert_close(mine, wanted)
    assert wanted.abs().max() > 0.01
