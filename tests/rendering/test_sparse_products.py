# SPDX-License-Identifier: Apache-2.0
"""Normals and interpolation as products of sparse matrices are those of the functions that they stand for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reenact.rendering import (
    Fragments,
    PixelInterpolation,
    VertexNormals,
    interpolate,
    rasterise,
    vertex_normals,
)

FACES = torch.tensor([[0, 1, 2], [1, 3, 2], [4, 5, 6]])
COUNT, SIDE = 8, 24


def vertices() -> Tensor:
    """[2, 8, 3] px and depth: two triangles that share an edge, one apart, and a vertex without a triangle."""
    flat = torch.tensor([[2.0, 2], [20, 3], [4, 20], [22, 21], [1, 12], [3, 12], [2, 22], [0, 0]])
    depth = 1.0 + 0.1 * torch.rand(2, COUNT, 1, generator=torch.Generator().manual_seed(0))
    return torch.cat([flat.expand(2, -1, -1) + torch.tensor([[[0.0, 0]], [[1.0, 0.5]]]), depth], -1)


def drawn() -> Fragments:
    return rasterise(vertices(), FACES.int(), SIDE, SIDE, cull_back=False)


def gradient(function, value: Tensor) -> tuple[Tensor, Tensor]:
    value = value.clone().requires_grad_()
    out = function(value)
    weight = torch.rand(out.shape, generator=torch.Generator().manual_seed(1))
    return out.detach(), torch.autograd.grad((out * weight).sum(), value)[0]


def test_normals_and_their_gradients() -> None:
    fast = VertexNormals(FACES, COUNT)
    for mine, wanted in zip(
        gradient(fast, vertices()), gradient(lambda v: vertex_normals(v, FACES, "torch"), vertices()), strict=True
    ):
        torch.testing.assert_close(mine, wanted, atol=1e-5, rtol=1e-4)
    assert (fast(vertices())[:, 7] == 0).all()


def test_interpolation_and_its_gradients() -> None:
    fragments = drawn()
    fast = PixelInterpolation(FACES, fragments, COUNT)
    colours = torch.rand(2, COUNT, 4, generator=torch.Generator().manual_seed(2))
    for mine, wanted in zip(
        gradient(fast, colours), gradient(lambda c: interpolate(c, FACES, fragments, "torch"), colours), strict=True
    ):
        torch.testing.assert_close(mine, wanted, atol=1e-5, rtol=1e-4)
    empty = fragments.face < 0
    assert empty.any() and (fast(colours)[empty] == 0).all()


def test_faces_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="faces"):
        VertexNormals(FACES, 5)
    with pytest.raises(ValueError, match="3 faces were drawn, but 2 faces are given"):
        PixelInterpolation(FACES[:2], drawn(), COUNT)
