# SPDX-License-Identifier: Apache-2.0
"""Milliseconds a frame for rasterising and for whole head maps, with each backend.

    python benchmarks/rasterise.py [--device cuda]

Draws a closed, bumpy, head-sized surface of about 9,000 triangles that fills 60 % of a 512 x 512 picture.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from reenact.rendering import Backend, Camera, rasterise, render_head_maps

CAMERA = Camera(focal_px=1290.0, cx=256.0, cy=256.0, width=512, height=512)
RINGS, SECTORS = 48, 96
BACKENDS: tuple[Backend, ...] = ("torch", "warp")


def bumpy_head(device: str) -> tuple[Tensor, Tensor]:
    """A sphere of 0.1 m with bumps, 0.6 m before the camera: vertices [V, 3] in metres, faces [F, 3]."""
    polar, turn = torch.meshgrid(
        torch.linspace(0.0, torch.pi, RINGS + 1),
        torch.arange(SECTORS) * (2.0 * torch.pi / SECTORS),
        indexing="ij",
    )
    outwards = torch.stack((polar.sin() * turn.cos(), polar.sin() * turn.sin(), polar.cos()), dim=-1)
    radius = 0.1 * (1.0 + 0.05 * torch.sin(10.0 * outwards).sum(-1, keepdim=True))
    vertices = (outwards * radius).flatten(0, 1) + torch.tensor([0.0, 0.0, 0.6])

    ring, sector = torch.meshgrid(torch.arange(RINGS), torch.arange(SECTORS), indexing="ij")
    a = ring * SECTORS + sector
    b = ring * SECTORS + (sector + 1) % SECTORS
    c, d = a + SECTORS, b + SECTORS
    faces = torch.cat((torch.stack((a, c, b), -1)[1:].reshape(-1, 3), torch.stack((b, c, d), -1)[:-1].reshape(-1, 3)))
    return vertices.to(device), faces.to(device)


def milliseconds(draw: Callable[[], object], device: str, seconds: float = 2.0) -> tuple[float, float]:
    """Median and best wall-clock time of a call, after one call that is not counted (it may compile)."""
    draw()
    samples: list[float] = []
    while sum(samples) < seconds or len(samples) < 5:
        if device != "cpu":
            torch.cuda.synchronize()
        start = time.perf_counter()
        draw()
        if device != "cpu":
            torch.cuda.synchronize()
        samples.append(time.perf_counter() - start)
    return 1e3 * statistics.median(samples), 1e3 * min(samples)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="a torch device (default: cpu)")
    device: str = parser.parse_args().device

    vertices, faces = bumpy_head(device)
    vertices_px = CAMERA.project(vertices)[None]
    size = (CAMERA.height, CAMERA.width)
    regions = torch.zeros(len(faces), dtype=torch.uint8, device=device)
    photo_px = vertices_px[0, :, :2].contiguous()
    photo_visibility = torch.ones(len(vertices), device=device)
    covered = (rasterise(vertices_px, faces, *size, cull_back=True).face >= 0).float().mean()

    name = torch.cuda.get_device_name(device) if device != "cpu" else platform.processor() or platform.machine()
    threads = torch.get_num_threads()
    print(f"machine: {name}, {os.cpu_count()} CPU cores, torch {torch.__version__} with {threads} threads")
    print(f"{len(faces)} triangles, {CAMERA.width} x {CAMERA.height} px, {100 * covered:.0f} % covered")
    print("milliseconds a frame, median and best:")
    print(f"{'backend':8s}{'rasterise':>22s}{'head maps':>22s}")
    for backend in BACKENDS:
        plain = milliseconds(lambda b=backend: rasterise(vertices_px, faces, *size, cull_back=True, backend=b), device)
        maps = milliseconds(
            lambda b=backend: render_head_maps(
                vertices[None],
                faces,
                CAMERA,
                regions=regions,
                photo_px=photo_px,
                photo_visibility=photo_visibility,
                backend=b,
            ),
            device,
        )
        print(f"{backend:8s}" + "".join(f"{median:9.2f} (best {best:5.2f})" for median, best in (plain, maps)))


if __name__ == "__main__":
    main()
