# SPDX-License-Identifier: Apache-2.0
"""Renders of hair: its shells from the inside outwards, each blended over what is below by what its strands cover."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from reenact.rendering import Camera, interpolate, rasterise, vertex_normals

from .hair import CHANNELS as HAIR_CHANNELS
from .hair import COLUMNS, DOWN, LAYERS
from .layers import Mesh, Scenery, sampled
from .light import Light, ambient, shade
from .wardrobe import Wardrobe

_HAIR_SHADE = (0.45, 0.62, 0.82, 1.0)
"""How much light reaches each shell between the strands of those above it."""


def hair_over(
    mesh: Mesh, worn: list[Wardrobe], scenery: Scenery, light: Tensor, cover: Tensor, depth: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Composite the shells over the opaque mesh: light, cover, and share of hair, each [N, S, S, 1 or 3]."""
    shared, side = mesh.shared, scenery.size
    lamps = [lamp.to(light.device) for lamp in scenery.lights]
    shares = torch.cat([cover, torch.zeros_like(cover)], -1)
    views = [_views(c, light.device) for c in scenery.cameras]
    for layer in range(len(LAYERS)):
        shell = mesh.hair[:, layer].contiguous()
        drawn = rasterise(scenery.project(shell), shared.hair_faces, side, side, cull_back=False)
        nearer = (drawn.face >= 0) & (drawn.depth < depth + 0.0005)
        vectors = interpolate(_grain(shell, shared.hair_faces, shared.hair_places), shared.hair_faces, drawn)
        for n, lamp in enumerate(lamps):
            at = nearer[n].flatten().nonzero()[:, 0]
            own = vectors[n].flatten(0, 1)[at]
            paint = sampled(worn[n].hair_sheet.to(light.device), own[:, 6:])
            alpha = paint[:, HAIR_CHANNELS - len(LAYERS) + layer, None]
            some = (alpha[:, 0] > 0.004).nonzero()[:, 0]
            at, own, paint, alpha = at[some], own[some], paint[some], alpha[some]
            view = views[n].view(-1, 3)[at]
            colour = _strands(paint, own, view, lamp, _HAIR_SHADE[layer], worn[n].has_headdress)
            # What covers: everything (for the background) and hair (for the truth) grow alike.
            below = torch.cat([light[n].view(-1, 3)[at], shares[n].view(-1, 2)[at]], 1)
            above = torch.cat([colour, torch.ones_like(below[:, 3:])], 1)
            mixed = torch.lerp(below, above, alpha)
            light[n].view(-1, 3)[at] = mixed[:, :3]
            shares[n].view(-1, 2)[at] = mixed[:, 3:]
    return light, shares[..., :1], shares[..., 1:]


def _grain(shell: Tensor, faces: Tensor, places: Tensor) -> Tensor:
    """Return normal, direction of the strands and texture coordinates at the vertices of a shell: [N, H, 8]."""
    grid = shell.view(len(shell), DOWN, COLUMNS, 3)
    down = torch.zeros_like(grid)
    down[:, 1:-1] = grid[:, 2:] - grid[:, :-2]
    down[:, 0], down[:, -1] = down[:, 1], down[:, -2]
    along = normalize(down.view_as(shell), dim=-1)
    return torch.cat([vertex_normals(shell, faces), along, places.expand(len(shell), -1, -1)], -1)


def _views(camera: Camera, device: torch.device) -> Tensor:
    """Return unit vectors from each pixel centre to the camera [S, S, 3]."""
    y, x = torch.meshgrid(*(torch.arange(camera.width, device=device) + 0.5,) * 2, indexing="ij")
    ways = torch.stack([camera.cx - x, camera.cy - y, torch.full_like(x, -camera.focal_px)], -1)
    return normalize(ways, dim=-1)


def _strands(paint: Tensor, vectors: Tensor, view: Tensor, light: Light, reach: float, cloth: bool) -> Tensor:
    """Shade hair to colours [P, 3] (Kajiya and Kay: a strand shines where light, strand and eye agree), or of cloth."""
    normal, along = normalize(vectors[:, :3], dim=1), vectors[:, 3:6]
    normal = torch.where((normal * view).sum(1, keepdim=True) < 0, -normal, normal)
    albedo = paint[:, :3]
    if cloth:
        one = torch.ones_like(paint[:, :1])
        return shade(albedo, 0.1 * one, normal, normal, view, one, one, 0 * one, light)
    along = normalize(along + 0.35 * paint[:, 3:4] * torch.linalg.cross(along, normal), dim=1)
    total = reach * 0.9 * ambient(normal, light) * albedo
    for way, rgb in ((light.key_way, light.key_rgb), (light.fill_way, light.fill_rgb)):
        facing = ((normal @ way)[:, None] * 0.75 + 0.25).clamp(0, 1)
        sine = (1 - (along @ way)[:, None] ** 2).clamp(min=0).sqrt()
        th = (along * normalize(way + view, dim=1)).sum(1, keepdim=True)
        near, deep = (1 - (th + 0.08) ** 2).clamp(min=0), (1 - (th - 0.12) ** 2).clamp(min=0)
        shine = 0.04 * near**30 + 0.55 * albedo * (1.0 - 0.6 * albedo) * deep**9
        total = total + reach * facing * rgb * (0.75 * sine * albedo + shine)
    return total
