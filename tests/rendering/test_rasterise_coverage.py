# SPDX-License-Identifier: Apache-2.0
"""Which pixels a mesh covers: each exactly once, whatever its triangulation, order, batch or chunking."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from drawer import Drawer
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay
from torch import Tensor

from reenact.rendering import Camera, rasterise, rasterise_torch

WIDTH, HEIGHT = 13, 11
ONE_FACE = torch.tensor([[0, 1, 2]])

halves = st.integers(0, 2 * WIDTH).map(lambda steps: steps / 2)
"""Coordinates on pixel centres and borders, where only the fill rule decides."""
anywhere = st.floats(0, WIDTH, width=32)


def layers(draw: Drawer, vertices_px: Tensor, faces: Tensor, height: int, width: int) -> Tensor:
    """[F, height, width] bool: the pixels that each face covers when it is drawn alone."""
    return draw(vertices_px[faces], ONE_FACE, height, width).face == 0


@settings(max_examples=40, deadline=None)
@given(inner=st.lists(st.tuples(halves | anywhere, halves | anywhere), max_size=8))
def test_a_triangulated_picture_covers_each_pixel_exactly_once(draw: Drawer, inner: list[tuple[float, float]]) -> None:
    frame = [(0.0, 0.0), (WIDTH, 0.0), (0.0, HEIGHT), (WIDTH, HEIGHT)]
    # Snapped beforehand, so that Delaunay sees the same points that are drawn.
    points = np.unique(np.round(np.array(frame + [p for p in inner if p[1] <= HEIGHT]) * 4096), axis=0) / 4096
    faces = torch.from_numpy(Delaunay(points).simplices).long()
    vertices = torch.cat((torch.from_numpy(points).float(), torch.ones(len(points), 1)), dim=1)
    assert torch.equal(layers(draw, vertices, faces, HEIGHT, WIDTH).sum(0), torch.ones(HEIGHT, WIDTH))


@settings(max_examples=40, deadline=None)
@given(corners=st.lists(st.tuples(halves | anywhere, halves | anywhere), min_size=4, max_size=4))
def test_the_diagonal_of_a_quad_makes_no_difference(draw: Drawer, corners: list[tuple[float, float]]) -> None:
    around = np.array(corners) - np.mean(corners, axis=0)
    a, b, c, d = (corners[i] for i in np.argsort(np.arctan2(around[:, 1], around[:, 0])))
    middle = np.mean(corners, axis=0)
    vertices = torch.tensor([[x, y, 1.0] for x, y in (a, b, c, d, tuple(middle))])
    fan = layers(draw, vertices, torch.tensor([[4, 0, 1], [4, 1, 2], [4, 2, 3], [4, 3, 0]]), HEIGHT, WIDTH)
    assert int(fan.sum(0).max()) <= 1
    quad = np.array([a, b, c, d])
    turns = np.cross(np.roll(quad, -1, axis=0) - quad, np.roll(quad, -2, axis=0) - quad)
    if (turns > 1e-3).all():
        first = layers(draw, vertices, torch.tensor([[0, 1, 2], [0, 2, 3]]), HEIGHT, WIDTH).sum(0)
        second = layers(draw, vertices, torch.tensor([[0, 1, 3], [1, 2, 3]]), HEIGHT, WIDTH).sum(0)
        assert torch.equal(first, second)
        assert torch.equal(first, fan.sum(0))


@given(x=st.floats(0, 5, width=32), y=st.floats(0, 5, width=32), side=st.integers(1, 5), flipped=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_square_covers_as_many_pixels_as_its_area(draw: Drawer, x: float, y: float, side: int, flipped: bool) -> None:
    x, y = round(x * 4096) / 4096, round(y * 4096) / 4096
    corners = [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]
    vertices = torch.tensor([[[*corner, 1.0] for corner in corners]])
    faces = torch.tensor([[0, 1, 3], [1, 2, 3]] if flipped else [[0, 2, 1], [0, 3, 2]])
    assert int((draw(vertices, faces, HEIGHT, WIDTH).face >= 0).sum()) == side * side


def test_a_closed_convex_surface_is_covered_once_in_front_and_once_behind(
    draw: Drawer, sphere: tuple[Tensor, Tensor], camera: Camera
) -> None:
    camera, faces = camera.scaled(0.5), sphere[1]
    vertices_px = camera.project(sphere[0])
    covered = layers(draw, vertices_px, faces, camera.height, camera.width)
    towards = draw(vertices_px[faces], ONE_FACE, camera.height, camera.width, cull_back=True).face == 0
    front, behind = towards.sum(0), (covered & ~towards).sum(0)
    assert torch.equal(front, behind)
    assert set(front.unique().tolist()) == {0, 1}


def test_culling_draws_only_faces_that_look_at_the_camera(
    draw: Drawer, bumpy: tuple[Tensor, Tensor], camera: Camera
) -> None:
    vertices, faces = bumpy
    a, b, c = vertices[faces].unbind(1)
    looks_at_camera = (torch.linalg.cross(b - a, c - a) * a).sum(-1) < 0
    vertices_px = camera.project(vertices)[None]
    whole = draw(vertices_px, faces, camera.height, camera.width)
    culled = draw(vertices_px, faces, camera.height, camera.width, cull_back=True)
    assert looks_at_camera[culled.face[culled.face >= 0].long()].all()
    # From outside, the nearest surface of a closed mesh always looks at the camera.
    assert torch.equal(culled.face, whole.face)
    inside_out = draw(vertices_px, faces.flip(1), camera.height, camera.width, cull_back=True)
    shown = inside_out.face >= 0
    assert torch.equal(shown, whole.face >= 0)
    assert (inside_out.depth[shown] > whole.depth[shown]).all()


def test_the_order_of_faces_makes_no_difference(draw: Drawer, bumpy: tuple[Tensor, Tensor], camera: Camera) -> None:
    vertices_px, faces = camera.project(bumpy[0])[None], bumpy[1]
    order = torch.randperm(len(faces), generator=torch.Generator().manual_seed(5))
    plain = draw(vertices_px, faces, camera.height, camera.width)
    shuffled = draw(vertices_px, faces[order], camera.height, camera.width)
    named = torch.where(shuffled.face >= 0, order.int()[shuffled.face.long()], -1)
    assert torch.equal(named, plain.face)
    assert torch.equal(shuffled.bary, plain.bary)
    assert torch.equal(shuffled.depth, plain.depth)


def test_of_equally_near_faces_the_first_wins(draw: Drawer) -> None:
    vertices = torch.tensor([[[0.0, 0.0, 1.0], [0.0, 20.0, 1.0], [20.0, 0.0, 1.0]]])
    faces = torch.tensor([[0, 1, 2], [0, 1, 2], [0, 2, 1], [1, 2, 0]])
    assert set(draw(vertices, faces, HEIGHT, WIDTH).face.unique().tolist()) <= {-1, 0}


def test_each_image_of_a_batch_is_drawn_as_if_alone(draw: Drawer, bumpy: tuple[Tensor, Tensor], camera: Camera) -> None:
    shifts = torch.tensor([[0.0, 0.0, 0.0], [0.05, -0.03, 0.1], [-0.2, 0.0, -0.1]])
    vertices_px, faces = camera.project(bumpy[0] + shifts[:, None]), bumpy[1]
    batch = draw(vertices_px, faces, camera.height, camera.width)
    for index in range(len(shifts)):
        alone = draw(vertices_px[index : index + 1], faces, camera.height, camera.width)
        assert torch.equal(batch.face[index], alone.face[0])
        assert torch.equal(batch.bary[index], alone.bary[0])
        assert torch.equal(batch.depth[index], alone.depth[0])


def test_threads_do_not_draw_over_each_other(draw: Drawer, bumpy: tuple[Tensor, Tensor], camera: Camera) -> None:
    vertices_px, faces = camera.project(bumpy[0])[None], bumpy[1]
    sizes = [(camera.height, camera.width), (40, 70), (60, 50)] * 4
    alone = [draw(vertices_px, faces, *size).face for size in sizes]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda size: draw(vertices_px, faces, *size).face, sizes))
    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_chunks_of_the_reference_do_not_show(
    bumpy: tuple[Tensor, Tensor], camera: Camera, monkeypatch: pytest.MonkeyPatch
) -> None:
    vertices_px = camera.project(bumpy[0])[None].repeat(2, 1, 1)
    size = (camera.height, camera.width)
    whole = rasterise(vertices_px, bumpy[1], *size, cull_back=False, backend="torch")
    monkeypatch.setattr(rasterise_torch, "PAIRS_PER_CHUNK", 997)
    pieces = rasterise(vertices_px, bumpy[1], *size, cull_back=False, backend="torch")
    assert torch.equal(whole.face, pieces.face)


@pytest.mark.parametrize("bad", [0.0, -0.3, 0.01, float("nan"), float("inf")])
def test_triangles_at_the_camera_or_not_finite_are_dropped(draw: Drawer, bad: float) -> None:
    vertices = torch.tensor([[[0.0, 0.0, 1.0], [0.0, 20.0, 1.0], [20.0, 0.0, bad], [20.0, 0.0, 2.0]]])
    drawn = draw(vertices, torch.tensor([[0, 1, 2], [0, 1, 3]]), HEIGHT, WIDTH)
    assert set(drawn.face.unique().tolist()) <= {-1, 1}
    assert torch.isfinite(drawn.bary).all()
    sideways = vertices.clone()
    sideways[0, 2] = torch.tensor([bad if bad != bad or bad > 1e9 else float("-inf"), 0.0, 1.0])
    assert set(draw(sideways, torch.tensor([[0, 1, 2]]), HEIGHT, WIDTH).face.unique().tolist()) == {-1}


def test_far_reaching_triangles_are_clipped_to_the_picture(draw: Drawer) -> None:
    vertices = torch.tensor([[[-1e5, -1e5, 1.0], [-1e5, 3e5, 1.0], [3e5, -1e5, 1.0]]])
    drawn = draw(vertices, ONE_FACE, HEIGHT, WIDTH)
    assert (drawn.face == 0).all()
    assert torch.allclose(drawn.depth, torch.ones_like(drawn.depth))


def test_nothing_to_draw_is_an_empty_picture(draw: Drawer) -> None:
    drawn = draw(torch.rand(2, 4, 3), torch.zeros((0, 3), dtype=torch.int64), 4, 5)
    assert drawn.face.shape == (2, 4, 5)
    assert (drawn.face == -1).all()
    assert (drawn.bary == 0).all()
    assert torch.isinf(drawn.depth).all()


@pytest.mark.parametrize(
    ("vertices", "faces", "message"),
    [
        (torch.rand(4, 3), ONE_FACE, r"\[B, V, 3\]"),
        (torch.rand(1, 2, 3), ONE_FACE, "vertices 0 to 2, but there are 2"),
        (torch.rand(1, 4, 3), ONE_FACE - 1, "vertices -1 to 1"),
        (torch.rand(1, 4, 3), ONE_FACE.float(), "faces must be int32 or int64"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(draw: Drawer, vertices: Tensor, faces: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(vertices, faces, 4, 4)
