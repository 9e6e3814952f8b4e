# SPDX-License-Identifier: Apache-2.0
"""The detailed surface: coarse vertices stay, new ones lie smoothly between, regions and seams survive."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix

from reenact.head.arkit import index
from reenact.head.levels import open_levels
from reenact.head.loop import subdivide
from reenact.head.open import open_head
from reenact.head.regions import REGIONS, in_regions, region_ids
from reenact.head.sparse import Sparse

HEAD = open_head()


def grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """A flat, regular mesh: vertices [V, 2] and faces."""
    y, x = np.mgrid[0:side, 0:side]
    at = np.arange(side * side).reshape(side, side)
    a, b, c, d = at[:-1, :-1].ravel(), at[:-1, 1:].ravel(), at[1:, :-1].ravel(), at[1:, 1:].ravel()
    return np.stack([x.ravel(), y.ravel()], 1).astype(float), np.concatenate(
        [np.stack([a, b, d], 1), np.stack([a, d, c], 1)]
    )


def octahedron() -> tuple[np.ndarray, np.ndarray]:
    vertices = np.asarray([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
    faces = [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    return vertices, np.asarray(faces)


def test_what_is_flat_or_straight_stays_so() -> None:
    points, faces = grid(6)
    step = subdivide(faces, len(points))
    fine = step.matrix @ points
    np.testing.assert_allclose(np.asarray(step.matrix.sum(axis=1)).ravel(), 1.0)
    assert step.matrix.data.min() >= 0
    assert fine.min() >= 0 and fine.max() <= 5  # inside the square
    np.testing.assert_allclose(np.unique(fine[points.size // 2 :] % 0.5), 0, atol=0.25)
    interior = ((points > 0) & (points < 5)).all(axis=1)
    np.testing.assert_allclose(fine[: len(points)][interior], points[interior], atol=1e-12)


def bends(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Angles between neighbouring triangles, radians."""
    normal = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    owner = np.tile(np.arange(len(faces)), 3)
    order = np.lexsort(edges.T)
    same = (edges[order][1:] == edges[order][:-1]).all(axis=1)
    a, b = owner[order][:-1][same], owner[order][1:][same]
    return np.arccos(np.clip((normal[a] * normal[b]).sum(axis=1), -1, 1))


def test_no_wrinkle_appears_that_the_coarse_head_does_not_have() -> None:
    """Each round halves the bends; an interpolating scheme draws unevenness out, and babies look old."""
    top = HEAD.topology
    skin = top.region_faces(*region_ids("skin")).numpy()
    base, faces = HEAD.base_neutral.numpy(), top.faces.numpy()
    coarse = bends(base, faces[skin])
    step = subdivide(faces, len(base))
    fine = bends(step.matrix @ base, step.faces[skin[step.parent]])
    for share in (0.5, 0.9, 0.99):
        assert np.quantile(fine, share) < 0.7 * np.quantile(coarse, share)


def test_a_coarse_ball_becomes_round_and_stays_closed() -> None:
    vertices, faces = octahedron()
    for _ in range(3):
        step = subdivide(faces, len(vertices))
        vertices, faces = step.matrix @ vertices, step.faces
    middles = vertices[faces].mean(axis=1)
    far = np.linalg.norm(middles, axis=1)
    assert far.min() > 0.75 * far.max()  # a flat face's middle is at 0.58 of its corners
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    _, count = np.unique(edges, axis=0, return_counts=True)
    assert (count == 2).all()
    normals = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    assert ((normals * middles).sum(axis=1) > 0).all()  # none turned over


def test_three_triangles_on_one_edge_are_refused() -> None:
    with pytest.raises(ValueError, match="more than two triangles"):
        subdivide(np.asarray([[0, 1, 2], [1, 0, 3], [0, 1, 4]]), 5)


def surface(coarse: torch.Tensor) -> torch.Tensor:
    """[..., V, 3] on the coarse head -> [..., N_s, 3]."""
    _, fit, detailed = open_levels()
    return detailed.upsample(fit.upsample(coarse))


def test_the_heads_surface_is_large_enough_and_keeps_vertices_regions_and_seams() -> None:
    detailed, base = open_levels()[2], HEAD.base_neutral
    fine = surface(base)
    assert len(fine) == len(detailed) >= 60_000 and len(detailed.faces) == 16 * len(HEAD.topology.faces)
    marks = HEAD.topology.landmark_vertices.unique()
    assert (fine[: len(base)] - base).norm(dim=1)[marks].median() < 0.0005  # it smooths by half a millimetre
    for label in range(len(REGIONS)):
        assert (detailed.regions == label).sum() == 16 * (HEAD.topology.regions == label).sum()
    assert detailed.faces.max() == len(fine) - 1 and len(detailed.faces.unique()) == len(fine)
    # New vertices are near the triangle they lie in: no overshoot, also on teeth, lids and where edges end.
    coarse = base[HEAD.topology.faces.repeat_interleave(16, dim=0)]
    size = (coarse - coarse.mean(1, keepdim=True)).norm(dim=2).amax(1)
    away = (fine[detailed.faces].mean(1) - coarse.mean(1)).norm(dim=1)
    assert (away / size).max() < 1.6


def test_upsampling_is_linear_and_passes_gradients_to_all_coarse_vertices() -> None:
    smile = HEAD.base_actions[[index("mouthSmileLeft"), index("jawOpen")]]
    both = surface(smile)
    assert torch.allclose(surface(2.0 * smile[:1] - smile[1:]), 2.0 * both[:1] - both[1:], atol=1e-6)
    vertices = torch.zeros(HEAD.base_neutral.shape, requires_grad=True)
    surface(vertices).sum().backward()
    assert vertices.grad is not None and (vertices.grad.abs().sum(dim=1) > 0).all()


def test_offsets_leave_rigid_parts_alone_and_dynamic_ones_keep_to_the_face() -> None:
    for level in open_levels():
        assert level.face.min() >= 0 and (level.face <= level.soft + 1e-6).all() and level.soft.max() == 1
        rigid = level.faces[in_regions(level.regions, *region_ids("sclera", "iris", "teeth_upper", "tongue"))]
        assert level.soft[rigid].max() == 0
        marks = HEAD.topology.landmark_vertices[[1, 61, 291, 105, 334]]  # nose tip, corners of the mouth, brows
        assert level.face[marks].min() > 0.9
        ears = level.faces[in_regions(level.regions, *region_ids("ears"))].unique()
        assert level.soft[ears].median() == 1 and level.face[ears].median() < 0.1


def test_a_sparse_product_and_its_gradient_are_those_of_the_dense_one() -> None:
    draw = torch.Generator().manual_seed(3)
    dense = torch.rand(7, 5, generator=draw) * (torch.rand(7, 5, generator=draw) < 0.4)
    fields = torch.rand(2, 3, 5, 4, generator=draw, requires_grad=True)
    pull = torch.rand(2, 3, 7, 4, generator=draw)
    out = Sparse(csr_matrix(dense.numpy())) @ fields
    (mine,) = torch.autograd.grad((out * pull).sum(), fields)
    (true,) = torch.autograd.grad(((dense @ fields) * pull).sum(), fields)
    assert torch.allclose(out, dense @ fields, atol=1e-6) and torch.allclose(mine, true, atol=1e-6)
