# SPDX-License-Identifier: Apache-2.0
"""Meshes to draw, and the devices and backends to draw them with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from drawer import Drawer
from torch import Tensor

from reenact.rendering import Camera

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


@pytest.fixture(
    scope="session",
    params=[(backend, device) for device in DEVICES for backend in ("torch", "warp")],
    ids=lambda pair: f"{pair[0]}-{pair[1]}",
)
def draw(request: pytest.FixtureRequest) -> Drawer:
    return Drawer(*request.param)


@pytest.fixture(scope="session")
def camera() -> Camera:
    return Camera(focal_px=200.0, cx=49.3, cy=46.1, width=96, height=92)


@pytest.fixture(scope="session")
def sphere() -> tuple[Tensor, Tensor]:
    """Vertices [642, 3] of a sphere of 0.1 m, half a metre before the camera, and its faces [1280, 3]."""
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=0.1)
    vertices = torch.tensor(np.asarray(mesh.vertices), dtype=torch.float32) + torch.tensor([0.0, 0.0, 0.5])
    return vertices, torch.tensor(np.asarray(mesh.faces))


@pytest.fixture(scope="session")
def bumpy(sphere: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The sphere with a nose, sockets and a chin of a sort: it hides parts of itself."""
    vertices, faces = sphere
    centre = torch.tensor([0.0, 0.0, 0.5])
    outwards = (vertices - centre) / 0.1
    swell = 0.25 * torch.sin(7.0 * outwards).sum(1) + 0.8 * torch.exp(20.0 * (-outwards[:, 2] - 1.0))
    return centre + 0.08 * outwards * (1.0 + swell[:, None]).clamp(min=0.4), faces
