# SPDX-License-Identifier: Apache-2.0
"""Hair as shells over the scalp, caps and scarves as the same shells closed: geometry, per person, at rest.

A grid of meridians runs from the crown down over the skull. Where a style hangs, they leave the skull and fall.
Several such shells, each farther out and sparser, look like hair where their strands are cut out (`hair_sheet`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from reenact.head.model import Float, Int
from reenact.head.open import open_head
from reenact.head.regions import region_ids
from reenact.head.smoothstep import smoothstep

from .looks import Looks
from .noise import fractal, noise, noise_volume, rng
from .people import SyntheticPerson

HEADDRESSES = ("cap", "scarf")
"""Styles that are cloth, not hair."""
LAYERS = (0.60, 0.76, 0.89, 1.0)
"""Height of each shell as a share of the hair's thickness."""
AROUND, DOWN = 96, 44  # columns and rows; the first column comes again at the end, where the texture closes
COLUMNS = AROUND + 1
_CENTRE = np.asarray([0.0, 0.020, -0.078], np.float32)
_FALLS = {"long": (-0.005, -0.26, 0.82), "bob": (-0.005, -0.115, 0.9), "scarf": (-0.02, -0.20, 0.78)}
"""What hangs: y where it leaves the skull and ends, metres; radians from the front within which nothing hangs."""
_THICK = {"short": 0.016, "crop": 0.006, "long": 0.017, "bob": 0.020, "back": 0.010, "ring": 0.008, "bald": 0.0,
          "cap": 0.012, "scarf": 0.012}  # fmt: skip


@dataclass(frozen=True)
class Hair:
    """Shells of one person: vertices [L, DOWN * COLUMNS, 3] canonical, metres, and what is painted on them."""

    vertices: Float
    line: Float  # [DOWN * COLUMNS] metres inside the hairline (negative outside it)
    fall: Float  # [DOWN * COLUMNS] 0 on the skull, to 1 at the end of what hangs


def hair_mesh() -> tuple[Int, Float]:
    """Make the mesh of one shell of DOWN x COLUMNS vertices.

    Returns:
        Faces [T, 3], counter-clockwise from outside, and texture coordinates [DOWN * COLUMNS, 2] in 0..1: around, down.
    """
    ring, at = np.divmod(np.arange((DOWN - 1) * AROUND), AROUND)
    a = ring * COLUMNS + at
    b, c, d = a + 1, a + COLUMNS, a + COLUMNS + 1
    faces = np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1)]).astype(np.int32)
    down, around = np.mgrid[:DOWN, :COLUMNS]
    return faces, np.stack([around / AROUND, down / (DOWN - 1)], -1).reshape(-1, 2).astype(np.float32)


def hair(person: SyntheticPerson, looks: Looks) -> Hair:
    """Make the shells of a person's hair or headdress."""
    style = looks.hair_style
    roots, rows, weights = _roots()
    base = roots.reshape(DOWN, AROUND, 3)
    own = np.einsum("nc,ncx->nx", weights, person.head.neutral.numpy()[rows]).reshape(DOWN, AROUND, 3)
    smooth = _softened(own, 1.3, 1.6)
    grow = person.size
    out = _outward(smooth)
    line = hairline(base) + _style_line(looks, base)
    if style in _FALLS:
        # What hangs covers ears and nape.
        side = np.abs(np.arctan2(base[..., 0], base[..., 2] - _CENTRE[2])) - _FALLS[style][2]
        line = np.where((base[..., 1] > -0.03) & (side > 0), np.maximum(line, 0.04 * smoothstep(0.0, 0.2, side)), line)
    taper = np.clip((line + 0.004) / 0.030, 0.0, 1.0)
    if style in HEADDRESSES:
        taper = np.ones_like(taper)
    wave = 1.0 + 0.22 * np.sin(4.0 * np.linspace(0, 2 * np.pi, AROUND, endpoint=False) + person.seed)[None]
    sides = 1.0 - 0.45 * np.clip(0.055 - base[..., 1], 0.0, 0.06) / 0.06 * (style in ("short", "back"))
    thick = _THICK[style] * (1.0 + 0.7 * looks.curl * (style in ("short", "bob", "long")))
    height = thick * grow * np.sqrt(taper) * wave * sides
    fall = np.zeros((DOWN, AROUND), np.float32)
    shells = []
    for share in LAYERS:
        shell = smooth + (0.0015 * grow + share * height)[..., None] * out
        # Smoothing shrinks: the skin must not come through.
        shell += np.maximum(((own - shell) * out).sum(-1) + 0.0012 * grow * (1 + share), 0.0)[..., None] * out
        if style in _FALLS:
            shell, fall, line = _hang(shell, base, line, looks, grow, share)
        shells.append(_closed(shell))
    return Hair(np.stack(shells), _closed(line), _closed(fall))


def _closed(grid: Float) -> Float:
    """Flatten [DOWN, AROUND, ...] to [DOWN * COLUMNS, ...], the first column repeated at the end."""
    return np.concatenate([grid, grid[:, :1]], axis=1).reshape(DOWN * COLUMNS, *grid.shape[2:]).astype(np.float32)


def hairline(points: Float) -> Float:
    """Return how far inside the hairline canonical points [..., 3] of the base head are, metres; negative outside."""
    x, y, z = np.abs(points[..., 0]), points[..., 1], points[..., 2]
    temple = 0.012 * smoothstep(0.03, 0.075, x)
    front = (y - 0.062) + 1.1 * np.maximum(0.012 - z, -0.004) - temple
    # In front of and below the ears only the nape has hair.
    low = np.minimum(front, (y + 0.030) * 1.5)
    nape = np.minimum(y + 0.080, -0.078 - z)
    return np.maximum(low, nape)


def _style_line(looks: Looks, base: Float) -> Float | float:
    """Return how far a style moves the hairline, metres."""
    if looks.hair_style == "ring":
        return np.asarray(-1.2 * np.clip(base[..., 1] - 0.030, 0.0, 0.08), np.float32)
    if looks.hair_style in HEADDRESSES:
        return 0.012
    front = np.clip(base[..., 2] / 0.02, 0.0, 1.0) * np.clip((0.055 - np.abs(base[..., 0])) / 0.02, 0.0, 1.0)
    if looks.hair_style in ("short", "long", "bob"):
        return np.asarray(looks.fringe_m * front, np.float32)
    return 0.0


def _hang(
    shell: Float, base: Float, line: Float, looks: Looks, grow: float, share: float
) -> tuple[Float, Float, Float]:
    """Let the sides and the back fall: new shell, fall 0..1, line."""
    leaves, ends, gap = _FALLS[looks.hair_style]
    azimuth = np.abs(np.arctan2(base[..., 0], base[..., 2] - _CENTRE[2]))
    # Each meridian is cut at the height where it leaves; what is left of it hangs evenly spaced.
    out = shell.copy()
    fall = np.zeros(base.shape[:2], np.float32)
    inside = line.copy()
    for i in range(AROUND):
        below = np.flatnonzero(base[:, i, 1] < leaves)
        if not len(below) or below[0] < 2:
            continue
        first = int(below[0])
        side = float(azimuth[first - 1, i])
        if side < gap:
            continue
        t = (np.arange(first, DOWN) - first + 1.0) / (DOWN - first)
        start = shell[first - 1, i]
        end_y = (ends - 0.012 * np.sin(3.1 * i)) * grow
        flat = start[[0, 2]] - np.asarray([0.0, _CENTRE[2] * grow])
        # Out over the cheek's widest place, in again towards the neck, out over the shoulders.
        width = 1.0 + 0.10 * np.sin(np.pi * np.clip(t * 1.4, 0, 1)) + 0.04 * share - 0.10 * t
        width = width + 0.05 * looks.curl * np.sin(t * 25.0 + i)
        spot = flat[None] * width[:, None] + [0.0, _CENTRE[2] * grow]
        # What hangs beside the face keeps out of it.
        spot[:, 1] -= 0.012 * grow * np.clip(1.5 - side, 0, 1) * t
        out[first:, i] = np.stack([spot[:, 0], start[1] + t * (end_y - start[1]), spot[:, 1]], 1)
        fall[first:, i] = t
        # The first that hangs is bare: between it and the face the shell is a sheet under the chin.
        inside[first:, i] = 0.07 * np.clip((side - gap) / 0.16, 0, 1) - 0.035
    return out, fall, inside


def _softened(grid: Float, down: float, around: float) -> Float:
    """Smooth a grid [DOWN, AROUND, 3] by so many rows and columns; closed around."""
    out = gaussian_filter1d(grid, down, axis=0, mode="nearest")
    return np.asarray(gaussian_filter1d(out, around, axis=1, mode="wrap"), np.float32)


def _outward(grid: Float) -> Float:
    """Return unit normals of a grid [DOWN, AROUND, 3] of meridians."""
    down = np.gradient(grid, axis=0)
    around = 0.5 * (np.roll(grid, -1, axis=1) - np.roll(grid, 1, axis=1))
    normal = np.cross(down, around)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
    ray = grid - grid.mean(axis=(0, 1))
    normal *= np.where((normal * ray).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    normal[0] = (ray[0] / np.linalg.norm(ray[0], axis=-1, keepdims=True)).mean(0)
    normal = _softened(normal, 1.0, 1.0)
    return normal / (np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9)


@lru_cache(maxsize=1)
def _roots() -> tuple[Float, Int, Float]:
    """Find where the meridians' rays leave the base head: points [N, 3], corners [N, 3], weights [N, 3]."""
    head = open_head()
    faces = head.topology.faces[head.topology.region_faces(*region_ids("skin", "neck"))].numpy()
    base = head.base_neutral.numpy()
    polar = np.linspace(0.02, np.radians(142), DOWN)[:, None]
    turn = np.linspace(-np.pi, np.pi, AROUND, endpoint=False)[None]
    ways = np.stack([np.sin(polar) * np.sin(turn), np.cos(polar) + 0 * turn, np.sin(polar) * np.cos(turn)], -1)
    c, s = np.cos(-0.55), np.sin(-0.55)  # the crown is tilted to the back, radians
    ways = ways.reshape(-1, 3) @ np.asarray([[1, 0, 0], [0, c, s], [0, -s, c]])
    rows, weights = _cast(_CENTRE, np.asarray(ways, np.float32), base[faces])
    corners = faces[rows]
    points = np.einsum("nc,ncx->nx", weights, base[corners])
    return points.astype(np.float32), corners.astype(np.int32), weights.astype(np.float32)


def _cast(origin: Float, ways: Float, triangles: Float) -> tuple[Int, Float]:
    """Find the farthest triangle that each ray from `origin` hits [N], and its weights [N, 3] (Moeller, Trumbore).

    Only the triangles that lie nearest to the ray's direction are tried. A ray that leaves by the open neck takes the
    triangle it passes nearest to.
    """
    middle = triangles.mean(1) - origin
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    tried = np.argpartition(-(ways @ middle.T), 32, axis=1)[:, :32]
    a, b, c = triangles[tried].transpose(2, 0, 1, 3)  # [N, 32, 3]
    e1, e2, s = b - a, c - a, origin - a
    h, q = np.cross(ways[:, None], e2), np.cross(s, e1)
    det = (e1 * h).sum(-1)
    det = np.where(np.abs(det) < 1e-12, 1e-12, det)
    u, v, t = (s * h).sum(-1) / det, (q * ways[:, None]).sum(-1) / det, (e2 * q).sum(-1) / det
    hit = (u >= -1e-4) & (v >= -1e-4) & (u + v <= 1 + 1e-4) & (t > 0)
    row = np.arange(len(ways))
    nearest = (middle[tried] * ways[:, None]).sum(-1).argmax(1)
    best = np.where(hit.any(1), np.where(hit, t, -1.0).argmax(1), nearest)
    weights = np.stack([1 - u - v, u, v], -1)[row, best]
    weights[~hit.any(1)] = 1 / 3
    return tried[row, best].astype(np.int32), weights


WIDE, TALL = 1024, 160  # px around and down
CHANNELS = 4 + len(LAYERS)
"""Albedo (3), lean of the strands to the side, and how much each shell covers, 0..1."""


def hair_sheet(person: SyntheticPerson, looks: Looks, shells: Hair) -> Tensor:
    """Make the sheet of a person's hair [CHANNELS, TALL, WIDE]; texture coordinates as `hair_mesh`."""
    draw = rng(person.seed, "strands")
    y, x = torch.meshgrid((torch.arange(TALL) + 0.5) / TALL, (torch.arange(WIDE) + 0.5) / WIDE, indexing="ij")
    x, y = x.reshape(-1), y.reshape(-1)
    volume = noise_volume(person.seed, "hair", 3)
    # Around, a circle closes by itself; its radius sets how many strands there are.
    curl = looks.curl
    drift = 0.25 * noise(volume, _ring(x, y, 1.3, 3.0), 0.35)[:, 0] * (0.3 + curl)
    drift = drift + 0.05 * curl * torch.sin(y * 70.0 + 6.0 * noise(volume, _ring(x, y, 4.0, 2.0), 0.5)[:, 1])
    turned = x + 0.06 * drift
    strand = fractal(volume, _ring(turned, y, 17.0, 1.2 + 40.0 * curl**2), 0.5, 3, 0.75)
    lock = fractal(volume, _ring(turned, y, 2.6, 0.8 + 8.0 * curl**2), 0.5, 2)
    line = _from_grid(shells.line)
    fall = _from_grid(shells.fall)
    cloth = looks.hair_style in HEADDRESSES
    ragged = 0.0 if cloth else 0.007 * (strand[:, 1] + lock[:, 1])
    inside = smoothstep(-0.004, 0.007 if not cloth else -0.0005, line + ragged)
    ends = smoothstep(1.0, 0.82, fall + (0.0 if cloth else 0.22 * strand[:, 2].abs()))
    cover = []
    # From which strength on a strand is there, shell by shell: the innermost is nearly whole.
    for need in (-1.5, -0.7, -0.2, 0.2):
        cut = torch.ones_like(x) if cloth else smoothstep(need - 0.5, need + 0.5, strand[:, 0] + 0.5 * lock[:, 0])
        cover.append(cut * inside * ends * (1.0 if cloth else 0.96))
    if looks.hair_style == "bald":
        cover = [torch.zeros_like(x)] * len(LAYERS)
    colour = torch.from_numpy(looks.hair_colour)
    if cloth:
        albedo = torch.from_numpy(looks.cloth_second) * (1.0 + 0.12 * strand[:, :1] + 0.10 * lock[:, :1])
    else:
        streaks = float(draw.uniform(0.2, 0.5))
        albedo = colour * (1.0 + streaks * strand[:, 1:2] + streaks * lock[:, :1]).clamp(0.25, 2.2)
        roots = smoothstep(0.25, 0.0, y)[:, None] * 0.25
        albedo = albedo * (1.0 - roots)
    lean = 0.5 * strand[:, 2] + 0.5 * lock[:, 2]
    rows = [albedo.T.clamp(0.003, 0.9), lean[None], torch.stack(cover)]
    return torch.cat(rows).view(CHANNELS, TALL, WIDE)


def _ring(x: Tensor, y: Tensor, radius: float, down: float) -> Tensor:
    """Return points on a cylinder, so that noise closes around it."""
    angle = 2 * np.pi * x
    return torch.stack([radius * torch.cos(angle), radius * torch.sin(angle), down * y], 1)


def _from_grid(values: np.ndarray) -> Tensor:
    """Interpolate [DOWN * COLUMNS] at the grid's vertices to [TALL * WIDE]."""
    grid = torch.from_numpy(values).view(1, 1, DOWN, COLUMNS)
    return torch.nn.functional.interpolate(grid, (TALL, WIDE), mode="bilinear", align_corners=True).view(-1)
