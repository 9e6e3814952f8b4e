# SPDX-License-Identifier: Apache-2.0
"""Head maps: normals, regions, correspondence, visibility; normal pictures; the camera they are seen by."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from reenact.rendering import (
    Backend,
    Camera,
    normals_to_picture,
    picture_to_normals,
    rasterise,
    render_head_maps,
    vertex_normals,
    visible_vertices,
)

BACKENDS: list[Backend] = ["torch", "warp"]
CENTRE = torch.tensor([0.0, 0.0, 0.5])


def region_stripes(faces: Tensor) -> Tensor:
    return (torch.arange(len(faces)) % 13).to(torch.uint8)


def rays(camera: Camera, column: Tensor, row: Tensor) -> Tensor:
    """[N, 3]: directions through the centres of the pixels, with z = 1."""
    x = (column + 0.5 - camera.cx) / camera.focal_px
    y = (row + 0.5 - camera.cy) / camera.focal_px
    return torch.stack((x, y, torch.ones_like(x)), dim=-1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_normals_of_a_sphere(backend: Backend, sphere: tuple[Tensor, Tensor], camera: Camera) -> None:
    vertices, faces = sphere
    maps = render_head_maps(vertices[None], faces, camera, regions=region_stripes(faces), backend=backend)
    y, x = torch.nonzero(maps.mask[0], as_tuple=True)
    depth = maps.depth[0, y, x]
    ray = torch.stack(
        (
            (x + 0.5 - camera.cx) / camera.focal_px,
            (y + 0.5 - camera.cy) / camera.focal_px,
            torch.ones(len(x)),
        ),
        1,
    )
    analytic = torch.nn.functional.normalize(ray * depth[:, None] - CENTRE, dim=-1)
    cosine = (maps.normals[0, y, x] * analytic).sum(-1)
    assert torch.rad2deg(torch.acos(cosine.clamp(max=1.0))).max() < 2.0
    assert torch.allclose(maps.normals.norm(dim=-1), maps.mask.float(), atol=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_vertex_normals_turn_with_the_surface(backend: Backend, bumpy: tuple[Tensor, Tensor]) -> None:
    vertices, faces = bumpy[0] - CENTRE, bumpy[1]
    rotation = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(2)))[0]
    rotation = rotation * torch.linalg.det(rotation)
    normals = vertex_normals(vertices, faces, backend)
    turned = vertex_normals(torch.stack((vertices, 1e-3 * vertices @ rotation.T)), faces, backend)
    assert torch.allclose(turned[0], normals, atol=1e-6)
    assert torch.allclose(turned[1], normals @ rotation.T, atol=1e-4)
    assert torch.allclose(normals.norm(dim=-1), torch.ones(len(normals)), atol=1e-5)


def test_vertex_normals_are_differentiable() -> None:
    corners = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], dtype=torch.float64)
    faces = torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    outwards = vertex_normals(corners, faces) * (corners - corners.mean(0))
    assert (outwards.sum(-1) > 0).all()
    assert torch.autograd.gradcheck(lambda points: vertex_normals(points, faces), corners.requires_grad_())


@pytest.mark.parametrize("backend", BACKENDS)
def test_regions_correspondence_and_empty_pixels(
    backend: Backend, bumpy: tuple[Tensor, Tensor], camera: Camera
) -> None:
    vertices, faces = bumpy
    regions = region_stripes(faces)
    # A photo without perspective, 1000 px a metre, so that every pixel's correspondence is known exactly.
    reference_px = 1000.0 * vertices[:, :2]
    maps = render_head_maps(
        vertices[None],
        faces,
        camera,
        regions=regions,
        reference_px=reference_px,
        reference_visibility=torch.ones(len(vertices), dtype=torch.bool),
        uv=(vertices[:, :2], faces),
        backend=backend,
    )
    assert maps.reference_px is not None
    assert maps.visibility is not None
    assert maps.uv is not None
    row, column = torch.nonzero(maps.mask[0], as_tuple=True)
    assert torch.equal(maps.regions[0, row, column], regions[maps.fragments.face[0, row, column].long()])
    surface = rays(camera, column, row) * maps.depth[0, row, column, None]
    assert (maps.reference_px[0, row, column] - 1000.0 * surface[:, :2]).abs().max() < 0.01
    assert (maps.uv[0, row, column] - surface[:, :2]).abs().max() < 1e-5
    assert torch.allclose(maps.visibility, maps.mask.float(), atol=1e-6)
    empty = ~maps.mask
    assert empty.any()
    assert (maps.regions[empty] == 255).all()
    assert torch.isinf(maps.depth[empty]).all()
    for values in (maps.normals, maps.uv, maps.reference_px):
        assert (values[empty] == 0).all()


def test_backends_draw_the_same_maps(bumpy: tuple[Tensor, Tensor], camera: Camera) -> None:
    vertices, faces = bumpy
    slow, fast = (
        render_head_maps(vertices[None], faces, camera, regions=region_stripes(faces), backend=backend)
        for backend in BACKENDS
    )
    assert torch.equal(slow.regions, fast.regions)
    assert torch.allclose(slow.normals, fast.normals, atol=1e-5)
    assert slow.uv is slow.reference_px is slow.visibility is None


def test_maps_are_differentiable_in_the_vertices(bumpy: tuple[Tensor, Tensor], camera: Camera) -> None:
    """Where a ray meets the plane of a triangle through p with normal n, its depth changes by n / (n . ray)
    when p moves."""
    vertices, faces = bumpy
    row, column = round(camera.cy), round(camera.cx)
    shift = torch.zeros(3, requires_grad=True)
    maps = render_head_maps((vertices + shift)[None], faces, camera, regions=region_stripes(faces))
    (gradient,) = torch.autograd.grad(maps.depth[0, row, column], shift)
    a, b, c = vertices[faces[int(maps.fragments.face[0, row, column])]]
    normal = torch.linalg.cross(b - a, c - a)
    ray = rays(camera, torch.tensor(column), torch.tensor(row))
    assert torch.allclose(gradient, normal / (normal @ ray), rtol=1e-3, atol=1e-4)


def test_regions_of_another_head_are_refused(sphere: tuple[Tensor, Tensor], camera: Camera) -> None:
    vertices, faces = sphere
    with pytest.raises(ValueError, match=r"labels must be uint8 \[1280\]"):
        render_head_maps(vertices[None], faces, camera, regions=torch.zeros(5, dtype=torch.uint8))


def test_only_the_near_side_of_a_sphere_is_visible(sphere: tuple[Tensor, Tensor], camera: Camera) -> None:
    vertices, faces = sphere
    vertices_px = camera.project(vertices)[None]
    depth = rasterise(vertices_px, faces, camera.height, camera.width, cull_back=True).depth
    seen = visible_vertices(depth, vertices_px, tolerance_m=0.002)[0]
    facing = -((vertices - CENTRE) * torch.nn.functional.normalize(vertices, dim=-1)).sum(-1) / 0.1
    # One pixel, 2.5 mm, from the outline of this sphere the surface turns away by sqrt(2 * 2.5 / 100) = 0.22.
    assert seen[facing > 0.22].all()
    assert not seen[facing < -0.22].any()
    outside = vertices_px + torch.tensor([camera.width, 0.0, 0.0])
    assert not visible_vertices(depth, outside, tolerance_m=0.002)[outside[..., 0] > camera.width].any()


def test_normal_pictures_show_right_as_red_up_as_green_near_as_blue() -> None:
    axes = torch.tensor([[[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [0.0, 0.0, 0.0]]])
    picture = normals_to_picture(axes)
    assert picture[0, :3].argmax(-1).tolist() == [0, 1, 2]
    assert picture[0, :3].max(-1).tolist() == [255, 255, 255]
    assert picture[0, 3].tolist() == [0, 0, 0]


def test_normal_pictures_can_be_read_back(sphere: tuple[Tensor, Tensor], camera: Camera) -> None:
    vertices, faces = sphere
    normals = render_head_maps(vertices[None], faces, camera, regions=region_stripes(faces)).normals[0]
    back = picture_to_normals(normals_to_picture(normals))
    assert torch.equal(back.any(-1), normals.any(-1))
    assert (back - normals).norm(dim=-1).max() < 0.008


@given(
    x0=st.floats(-50, 50),
    y0=st.floats(-50, 50),
    size=st.floats(10, 300),
    out=st.integers(8, 512),
    factor=st.floats(0.1, 8),
)
def test_cropping_and_scaling_move_the_picture_not_the_world(
    x0: float, y0: float, size: float, out: int, factor: float
) -> None:
    camera = Camera(focal_px=700.0, cx=128.0, cy=130.5, width=256, height=240)
    points = torch.tensor([[0.1, -0.05, 0.6], [-0.08, 0.02, 0.9]], dtype=torch.float64)
    whole = camera.project(points)
    crop = camera.cropped(x0, y0, size, out)
    wanted = (whole[:, :2] - torch.tensor([x0, y0])) * (out / size)
    assert (crop.width, crop.height) == (out, out)
    assert torch.allclose(crop.project(points)[:, :2], wanted, atol=1e-6)
    assert torch.allclose(camera.scaled(factor).project(points)[:, :2], whole[:, :2] * factor, atol=1e-6)
    assert torch.equal(crop.project(points)[:, 2], points[:, 2])


@pytest.mark.parametrize("values", [(0.0, 1, 1), (-1.0, 1, 1), (math.nan, 1, 1), (1.0, 0, 1), (1.0, 1, 0)])
def test_impossible_cameras_are_refused(values: tuple[float, int, int]) -> None:
    focal_px, width, height = values
    with pytest.raises(ValueError, match=r"must be positive|at least one pixel"):
        Camera(focal_px=focal_px, cx=0.0, cy=0.0, width=width, height=height)
