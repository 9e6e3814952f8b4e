# SPDX-License-Identifier: Apache-2.0
"""Augmentation of portraits: framing, light, colour, blur, noise, occlusion by hands.

All random numbers come from one torch generator.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torch.nn.functional import affine_grid, grid_sample, interpolate

from reenact.perception.dense.network import FACE

from .dense_loss import DenseTruth


def augment(pictures: Tensor, truth: DenseTruth, draw: Generator) -> tuple[Tensor, DenseTruth]:
    """Reframe and disturb pictures [N, 3, S, S] in 0..1 and their truth."""
    pictures, truth = _reframe(pictures, truth, draw)
    pictures = _shade(pictures, draw)
    pictures, truth = _cover(pictures, truth, draw)
    pictures = _colour(pictures, draw)
    pictures = _soften(pictures, draw)
    n = len(pictures)
    noise = _uniform(draw, n, 1, 1, 1).to(pictures) ** 3 * 0.08
    grain = torch.randn(pictures.shape, generator=draw).to(pictures)
    return (pictures + noise * grain).clamp(0.0, 1.0), truth


def face_windows(pictures: Tensor, truth: DenseTruth, side: int, draw: Generator) -> tuple[Tensor, DenseTruth]:
    """Cut a window of side x side px out of each picture, about a random pixel of the face where there is one."""
    size = pictures.shape[-1]
    face = torch.isin(truth.classes, torch.tensor(FACE, device=truth.classes.device)).flatten(1).float().cpu()
    middle = torch.multinomial(face + 1e-9, 1, generator=draw)[:, 0]
    corners = torch.stack([middle // size, middle % size], 1) - side // 2
    corners = corners.clamp(0, size - side).tolist()

    def cut(values: Tensor) -> Tensor:
        return torch.stack([v[..., y : y + side, x : x + side] for v, (y, x) in zip(values, corners, strict=True)])

    flat = {name: cut(getattr(truth, name)) for name in ("normals", "depth", "classes", "certainty")}
    return cut(pictures), truth.replace(**flat)


def _reframe(pictures: Tensor, truth: DenseTruth, draw: Generator) -> tuple[Tensor, DenseTruth]:
    """Mirror, tilt, zoom and shift; normals turn with the picture, depth grows with it."""
    n, device = len(pictures), pictures.device
    zoom = 0.8 * (1.3 / 0.8) ** _uniform(draw, n)
    tilt = 0.35 * torch.randn(n, generator=draw).clamp(-2, 2)
    mirror = torch.where(_uniform(draw, n) < 0.5, -1.0, 1.0)
    c, s = torch.cos(tilt), torch.sin(tilt)
    # From places in the new picture to places in the old: undo zoom and tilt, then the mirror.
    turn = torch.stack([torch.stack([mirror * c, mirror * s], -1), torch.stack([-s, c], -1)], 1)
    shift = (_uniform(draw, n, 2) * 2 - 1) * 2 * 0.10
    grid = affine_grid(
        torch.cat([turn / zoom[:, None, None], (turn @ shift[..., None]) / zoom[:, None, None]], -1),
        list(pictures.shape),
        align_corners=False,
    ).to(device)
    new = grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    flat = (truth.depth, truth.classes.float(), truth.certainty)
    whole = torch.cat([truth.normals, *(values[:, None] for values in flat)], 1)
    whole = grid_sample(whole, grid, mode="nearest", padding_mode="border", align_corners=False)
    back = torch.eye(3).repeat(n, 1, 1)
    back[:, :2, :2] = turn.transpose(1, 2)
    normals = torch.einsum("nij,njhw->nihw", back.to(device), whole[:, :3])
    classes = whole[:, 4].long()
    depth = whole[:, 3] * zoom.to(device)[:, None, None]
    return new, truth.replace(normals=normals, depth=depth, classes=classes, certainty=whole[:, 5])


def _shade(pictures: Tensor, draw: Generator) -> Tensor:
    """Add a soft shadow or glow across each picture that no surface explains."""
    n, _, side, _ = pictures.shape
    coarse = torch.randn(n, 1, 4, 4, generator=draw).to(pictures)
    field = interpolate(coarse, (side, side), mode="bicubic", align_corners=False)
    depth = 0.35 * _uniform(draw, n, 1, 1, 1).to(pictures) ** 2
    return (pictures * torch.exp(depth * field)).clamp(0.0, 1.0)


def _cover(pictures: Tensor, truth: DenseTruth, draw: Generator) -> tuple[Tensor, DenseTruth]:
    """Cover a third of them in part by a blob from an edge, of a random colour or of another skin."""
    n, _, side, _ = pictures.shape
    device = pictures.device
    line = torch.linspace(-1, 1, side)
    y, x = torch.meshgrid(line, line, indexing="ij")
    angle = _uniform(draw, n, 1, 1) * 2 * torch.pi
    far = 0.45 + 0.55 * _uniform(draw, n, 1, 1)
    long, wide = 0.25 + 0.6 * _uniform(draw, n, 1, 1), 0.08 + 0.22 * _uniform(draw, n, 1, 1)
    bend = 0.6 * (_uniform(draw, n, 1, 1) - 0.5)
    u = x * torch.cos(angle) + y * torch.sin(angle) - far
    v = -x * torch.sin(angle) + y * torch.cos(angle) + bend * u + 0.08 * torch.sin(9 * u + 6 * _uniform(draw, n, 1, 1))
    mask = ((u / long) ** 2 + (v / wide) ** 2 < 1) & (_uniform(draw, n, 1, 1) < 0.33)
    round_ = (1 - (v / wide) ** 2).clamp(0, 1).sqrt()
    skin = pictures[torch.roll(torch.arange(n), 1)].mean((2, 3), keepdim=True).cpu()
    plain = _uniform(draw, n, 3, 1, 1)
    colour = torch.where(_uniform(draw, n, 1, 1, 1) < 0.5, skin * torch.tensor([1.25, 0.95, 0.8])[:, None, None], plain)
    blob = (colour * (0.35 + 0.65 * round_[:, None])).to(device)
    mask = mask.to(device)
    new = torch.where(mask[:, None], blob, pictures)
    free = ~mask
    return new, truth.replace(
        normals=truth.normals * free[:, None], depth=truth.depth * free, classes=truth.classes * free
    )


def _colour(pictures: Tensor, draw: Generator) -> Tensor:
    n = len(pictures)
    gain = torch.exp(0.12 * torch.randn(n, 3, 1, 1, generator=draw) + 0.15 * torch.randn(n, 1, 1, 1, generator=draw))
    gamma = torch.exp(0.25 * torch.randn(n, 1, 1, 1, generator=draw))
    out = (pictures * gain.to(pictures)).clamp(0.0, 1.0) ** gamma.to(pictures)
    grey = out.mean(1, keepdim=True)
    keep = torch.exp(0.25 * torch.randn(n, 1, 1, 1, generator=draw))
    keep = torch.where(_uniform(draw, n, 1, 1, 1) < 0.05, torch.zeros(1), keep).to(pictures)
    middle = out.mean((1, 2, 3), keepdim=True)
    contrast = torch.exp(0.2 * torch.randn(n, 1, 1, 1, generator=draw)).to(pictures)
    return (middle + contrast * (grey + keep * (out - grey) - middle)).clamp(0.0, 1.0)


def _soften(pictures: Tensor, draw: Generator) -> Tensor:
    """Half of the pictures lose their finest detail, as small or compressed ones have."""
    n, _, side, _ = pictures.shape
    out = []
    for picture, u, share in zip(pictures, _uniform(draw, n).tolist(), _uniform(draw, n).tolist(), strict=True):
        small = max(int(side * (0.3 + 0.7 * share)), 16)
        if u < 0.5:
            less = interpolate(picture[None], (small, small), mode="bilinear", antialias=True, align_corners=False)
            picture = interpolate(less, (side, side), mode="bicubic", align_corners=False)[0]
        out.append(picture)
    return torch.stack(out).clamp(0.0, 1.0)


def _uniform(draw: Generator, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=draw)
