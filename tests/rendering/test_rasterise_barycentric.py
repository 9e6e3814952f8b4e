# SPDX-License-Identifier: Apache-2.0
"""Barycentric coordinates: perspective, partition of unity, derivatives; and both backends alike."""

from __future__ import annotations

import pytest
import torch
from drawer import Drawer
from torch import Tensor

from reenact.rendering import Camera, interpolate, rasterise


def centres(height: int, width: int) -> Tensor:
    """[height, width, 2]: x, y of the pixel centres."""
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    return torch.stack((x, y), dim=-1)


def test_barycentric_coordinates_are_a_partition_of_unity(
    draw: Drawer, bumpy: tuple[Tensor, Tensor], camera: Camera
) -> None:
    drawn = draw(camera.project(bumpy[0])[None], bumpy[1], camera.height, camera.width)
    covered = drawn.face >= 0
    assert (drawn.bary >= 0).all()
    assert torch.allclose(drawn.bary.sum(-1), covered.float(), atol=1e-6)


def test_interpolated_points_project_onto_their_pixel(
    draw: Drawer, bumpy: tuple[Tensor, Tensor], camera: Camera
) -> None:
    """Position is a linear function on each triangle: carried to a pixel it must lie on that pixel's ray."""
    vertices, faces = bumpy
    drawn = draw(camera.project(vertices)[None], faces, camera.height, camera.width)
    covered = drawn.face >= 0
    found = camera.project(interpolate(vertices, faces, drawn, "torch")[covered])
    wanted = centres(camera.height, camera.width)[covered[0]]
    assert (found[:, :2] - wanted).abs().max() < 1e-3
    assert torch.allclose(found[:, 2], drawn.depth[covered], rtol=1e-6)


def test_a_tilted_plane_interpolates_exactly(draw: Drawer) -> None:
    """Against the analytic intersection of pixel rays with z = 1 + 0.3 x + 0.1 y, seen over a wide angle."""
    camera = Camera(focal_px=20.0, cx=16.0, cy=16.0, width=32, height=32)
    # On the sub-pixel grid, so that the only error left is the arithmetic's.
    xy_px = torch.tensor([[-16.0, -20.0], [44.0, -12.0], [50.0, 60.0], [-10.0, 48.0]])
    ray = (xy_px - 16.0) / 20.0
    z = 1.0 / (1.0 - 0.3 * ray[:, 0] - 0.1 * ray[:, 1])
    assert (z > 0).all()
    vertices = torch.cat((ray * z[:, None], z[:, None]), dim=1)
    vertices_px = torch.cat((xy_px, z[:, None]), dim=1)[None]
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    drawn = draw(vertices_px, faces, camera.height, camera.width)
    pixel_ray = (centres(32, 32) - 16.0) / 20.0
    wanted_z = 1.0 / (1.0 - 0.3 * pixel_ray[..., 0] - 0.1 * pixel_ray[..., 1])
    wanted = torch.cat((pixel_ray * wanted_z[..., None], wanted_z[..., None]), dim=-1)
    assert torch.allclose(drawn.depth[0], wanted_z, rtol=2e-6)
    assert torch.allclose(interpolate(vertices, faces, drawn, "torch")[0], wanted, rtol=1e-5, atol=1e-5)


def test_derivatives_agree_with_finite_differences() -> None:
    """Vertices and steps lie on the sub-pixel grid, so that snapping moves neither side of the comparison."""
    vertices = torch.tensor(
        [[[2.25, 1.5, 3.0], [3.0, 29.75, 5.0], [30.5, 4.0, 4.0], [31.0, 30.0, 6.0]]], dtype=torch.float64
    )
    faces = torch.tensor([[0, 1, 2], [1, 3, 2]])
    rows, columns = torch.tensor([9, 15, 22]), torch.tensor([8, 12, 25])

    def at_pixels(points: Tensor) -> tuple[Tensor, Tensor]:
        drawn = rasterise(points, faces, 32, 32, cull_back=False)
        return drawn.bary[0, rows, columns], drawn.depth[0, rows, columns]

    assert rasterise(vertices, faces, 32, 32, cull_back=False).face[0, rows, columns].tolist() == [0, 0, 1]
    assert torch.autograd.gradcheck(at_pixels, (vertices.requires_grad_(),), eps=2**-10, atol=1e-6)


def test_gradients_change_no_value(bumpy: tuple[Tensor, Tensor], camera: Camera) -> None:
    vertices_px, faces = camera.project(bumpy[0])[None], bumpy[1]
    size = (camera.height, camera.width)
    still = rasterise(vertices_px, faces, *size, cull_back=True, backend="torch")
    moving = rasterise(vertices_px.clone().requires_grad_(), faces, *size, cull_back=True)
    assert torch.equal(still.bary, moving.bary)
    assert torch.equal(still.depth, moving.depth)
    moving.depth[moving.face >= 0].sum().backward()


def test_warp_refuses_to_lose_a_gradient() -> None:
    vertices = torch.rand(1, 3, 3, requires_grad=True)
    with pytest.raises(ValueError, match="no gradient"):
        rasterise(vertices, torch.tensor([[0, 1, 2]]), 4, 4, cull_back=False, backend="warp")


@pytest.mark.parametrize("cull_back", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_backends_agree_on_triangle_soup(draw: Drawer, seed: int, cull_back: bool) -> None:
    random = torch.Generator().manual_seed(seed)
    vertices = torch.rand(2, 90, 3, generator=random) * torch.tensor([60.0, 60.0, 1.0])
    vertices += torch.tensor([-10.0, -12.0, 0.0])
    faces = torch.randint(0, 90, (150, 3), generator=random)
    drawn = draw(vertices, faces, 36, 40, cull_back=cull_back)
    reference = rasterise(vertices, faces, 36, 40, cull_back=cull_back, backend="torch")
    assert torch.equal(drawn.face, reference.face)
    assert torch.allclose(drawn.bary, reference.bary, rtol=0, atol=1e-6)
    assert torch.allclose(drawn.depth, reference.depth, rtol=1e-6, atol=0)


def test_backends_agree_on_a_head(draw: Drawer, bumpy: tuple[Tensor, Tensor], camera: Camera) -> None:
    vertices_px, faces = camera.project(bumpy[0])[None], bumpy[1]
    drawn = draw(vertices_px, faces, camera.height, camera.width, cull_back=True)
    reference = rasterise(vertices_px, faces, camera.height, camera.width, cull_back=True, backend="torch")
    assert torch.equal(drawn.face, reference.face)
    assert torch.allclose(drawn.bary, reference.bary, rtol=0, atol=1e-6)


def test_interpolation_agrees_between_backends(bumpy: tuple[Tensor, Tensor], camera: Camera) -> None:
    vertices_px, faces = camera.project(bumpy[0] + torch.tensor([[[0.0, 0, 0]], [[0.03, 0, 0]]])), bumpy[1]
    drawn = rasterise(vertices_px, faces, camera.height, camera.width, cull_back=True)
    shared = torch.rand(len(bumpy[0]), 5, generator=torch.Generator().manual_seed(1))
    for attributes in (shared, torch.stack((shared, 1 - shared))):
        slow, fast = (interpolate(attributes, faces, drawn, backend) for backend in ("torch", "warp"))
        assert slow.shape == (2, camera.height, camera.width, 5)
        assert torch.allclose(slow, fast, rtol=0, atol=1e-6)
        assert (fast[drawn.face < 0] == 0).all()


def test_interpolation_refuses_what_does_not_fit(bumpy: tuple[Tensor, Tensor], camera: Camera) -> None:
    vertices, faces = bumpy
    drawn = rasterise(camera.project(vertices)[None], faces, camera.height, camera.width, cull_back=True)
    with pytest.raises(ValueError, match="faces name vertices"):
        interpolate(vertices[:9], faces, drawn)
    with pytest.raises(ValueError, match="7 faces are given"):
        interpolate(vertices, faces[:7], drawn)
    with pytest.raises(ValueError, match="attributes must be"):
        interpolate(vertices[None].repeat(3, 1, 1), faces, drawn)
