# SPDX-License-Identifier: Apache-2.0
"""Renders of the opaque mesh: head, shoulders and glasses, and the lashes over it; see hair_layer.py for hair."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample, normalize

from reenact.head.model import Float
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.regions import EMPTY, EYEBALL, MOUTH_INTERIOR, REGIONS, region_ids
from reenact.rendering import (
    Camera,
    Fragments,
    face_labels,
    interpolate,
    interpolate_directions,
    rasterise,
    vertex_normals,
)

from .body import RINGS, body_mesh, posed_body, rim
from .chart import BODY_HEIGHT, HEIGHT, WIDTH, chart, plain_spot
from .glasses import GLASSES_VERTICES, glasses_faces
from .hair import hair_mesh
from .light import Light, catch_light, light_visibility, shade
from .people import SyntheticPerson
from .skin import ALBEDO, CLOTH, GLOSS, SLOPE
from .surface import fine_surface
from .wardrobe import Wardrobe

LABELS: Final[tuple[str, ...]] = (*REGIONS, "hair", "cloth", "glasses")
"""Labels of the truth maps: the head's own regions first, then what synthetic people wear. `EMPTY` (255) is background;
shoulders left free by clothes are "neck"."""

GLASSES: Final = LABELS.index("glasses")
BODY: Final = 254
"""While drawing: neck or cloth, as the sheet says. No truth map has it."""


@dataclass(frozen=True)
class _SharedMesh:
    """The opaque mesh's faces, which all people share, and where they are on the sheet."""

    faces: Tensor  # [G, 3]
    regions: Tensor  # [G] uint8 truth labels
    corners: Tensor  # [U, 2] in -1..1 on the sheet
    corner_faces: Tensor  # [G, 3]
    lashes: Tensor  # [L, 3] faces over the same vertices, drawn by themselves
    lash_cover: Tensor  # [W] 1 at the roots of the lashes, 0 at their tips
    hair_faces: Tensor  # [T, 3] of one shell
    hair_places: Tensor  # [H, 2] in -1..1
    ambient: Tensor  # [W, 1]


@dataclass(frozen=True)
class Mesh:
    """N posed people. Vertices: W of the fine head, then the body's, then the glasses' (behind the camera if none)."""

    vertices: Tensor  # [N, W + B + T, 3] camera space, metres
    hair: Tensor  # [N, L, H, 3]
    normals: Tensor  # [N, W + B + T, 3]
    turns: Tensor  # [N, 3, 3] head to camera
    shared: _SharedMesh


@dataclass(frozen=True)
class Scenery:
    """The light and the camera of each of N frames."""

    lights: list[Light]
    cameras: list[Camera]

    def project(self, vertices: Tensor) -> Tensor:
        """Project [N, V, 3] in camera space to (x px, y px, z m), each frame by its own camera."""
        return torch.stack([c.project(v) for c, v in zip(self.cameras, vertices, strict=True)])

    @property
    def size(self) -> int:
        return self.cameras[0].width


@lru_cache(maxsize=2)
def _shared_mesh(device: torch.device) -> _SharedMesh:
    """Make the shared mesh on a device, once."""
    surface, flat = fine_surface(), chart()
    lash = surface.regions == region_ids("eyelashes")[0]
    keep = torch.from_numpy(~lash)
    w = len(surface.base)
    body_at, glasses_at = w, w + RINGS * len(rim())
    (body_faces, body_corners), (shell, places) = body_mesh(), hair_mesh()
    faces = [surface.faces[keep], torch.from_numpy(body_faces).long() + body_at]
    faces.append(torch.from_numpy(glasses_faces()).long() + glasses_at)
    spot = np.broadcast_to(np.asarray(plain_spot("eyelashes"), np.float32), (len(faces[2]), 3, 2))
    head_corners = flat.corners[flat.corner_faces.numpy()][~lash]
    corners = np.concatenate([head_corners, body_corners, spot]).reshape(-1, 2)
    corners = corners / [WIDTH / 2, (HEIGHT + BODY_HEIGHT) / 2] - 1.0
    regions = np.concatenate(
        [surface.regions[~lash], np.full(len(faces[1]), BODY), np.full(len(faces[2]), GLASSES)]
    ).astype(np.uint8)
    count = sum(map(len, faces))
    ambient = np.concatenate([surface.ambient, np.ones(RINGS * len(rim()) + GLASSES_VERTICES)])
    # The collar lies in the shade of the chin.
    ambient[body_at : body_at + 8 * len(rim())] *= np.repeat(np.linspace(0.72, 1.0, 8), len(rim()))
    ambient[body_at : body_at + len(rim())] = surface.ambient[rim()]
    made = _SharedMesh(
        torch.cat(faces), torch.from_numpy(regions), torch.from_numpy(corners).float(),
        torch.arange(3 * count).view(-1, 3), surface.faces[~keep], torch.from_numpy(_lash_cover()),
        torch.from_numpy(shell).long(), torch.from_numpy(places * 2.0 - 1.0),
        torch.from_numpy(ambient).float()[:, None],
    )  # fmt: skip
    return _SharedMesh(**{name: value.to(device) for name, value in vars(made).items()})


def _lash_cover() -> Float:
    """Return how much lashes hide at each vertex [W, 1]: thick at the lid, nothing at the tips."""
    head, surface = open_head(), fine_surface()
    rows = head.topology.region_vertices(*region_ids("eyelashes")).numpy()
    lids = surface.base[head.topology.lid_contacts.unique().numpy()]
    far = np.linalg.norm(surface.base[rows][:, None] - lids[None], axis=-1).min(1)
    out = np.zeros((len(surface.base), 1), np.float32)
    upper = surface.base[rows, 1] > -0.002
    out[rows, 0] = np.clip(1.25 - far / 0.007, 0.0, 1.0) * np.where(upper, 0.9, 0.4)
    return out


def opaque_mesh(
    people: list[SyntheticPerson],
    worn: list[Wardrobe],
    motion: Motion,
    rests: list[Motion | None],
    device: torch.device,
) -> Mesh:
    """Pose everything that is rendered."""
    posed, shells = [], []
    for person, wear, state, rest in zip(people, worn, motion, rests, strict=True):
        head = person.surface(state, rest)
        body = posed_body(person, head, state, rest)[0]
        turn, shift = state.rotation[0].numpy(), state.translation[0].numpy()
        if wear.glasses is None:
            frame = np.full((GLASSES_VERTICES, 3), -1.0, np.float32)
        else:
            frame = wear.glasses @ turn.T + shift
        posed.append(np.concatenate([head[0], body, frame]))
        shell = wear.hair.vertices @ turn.T + shift
        # Behind the camera, and so not drawn, where nothing can grow: no strand strays 25 mm from the hairline.
        shell[:, wear.hair.line < -0.025] = -1.0
        shells.append(shell)
    shared = _shared_mesh(device)
    vertices = torch.from_numpy(np.stack(posed)).float().to(device)
    turns = motion.rotation.to(device)
    hair = torch.from_numpy(np.stack(shells)).float().to(device)
    return Mesh(vertices, hair, vertex_normals(vertices, shared.faces), turns, shared)


def head_layer(mesh: Mesh, worn: list[Wardrobe], scenery: Scenery) -> tuple[Tensor, Tensor, Tensor]:
    """Render head, shoulders and glasses: light [N, S, S, 3], cover [N, S, S, 1], depth [N, S, S]."""
    shared, side = mesh.shared, scenery.size
    projected = scenery.project(mesh.vertices)
    drawn = rasterise(projected, shared.faces, side, side, cull_back=True)
    regions = face_labels(shared.regions, EMPTY, drawn)
    shadow = _shadows(mesh, worn, scenery)
    extra = torch.cat([shadow[..., None], shared.ambient.expand(len(shadow), -1, -1), mesh.vertices], -1)
    extra = interpolate(extra, shared.faces, drawn)
    smooth = interpolate_directions(mesh.normals, shared.faces, drawn)
    place = interpolate(shared.corners, shared.corner_faces, drawn)
    openness = _opening(regions)
    light = torch.zeros(*regions.shape, 3, device=place.device)
    for n, lamp in enumerate(scenery.lights):
        at = (regions[n] != EMPTY).flatten().nonzero()[:, 0]
        metal = torch.tensor(worn[n].frame_colour, device=place.device)
        own = [x[n].flatten(0, 1)[at] for x in (place, regions, extra, smooth, openness)]
        paint = sampled(worn[n].sheet.to(place.device), own[0])
        colour = _surface(paint, own[1], own[2], own[3], own[4], mesh.turns[n], metal, lamp.to(place.device))
        light[n].view(-1, 3)[at] = colour
    light = _lashes(mesh, projected, light, drawn.depth, side)
    return light, (regions != EMPTY).float()[..., None], drawn.depth


def sampled(sheet: Tensor, places: Tensor) -> Tensor:
    """Sample a sheet [C, H, W] at places [P, 2] in -1..1: [P, C]."""
    grid = places[None, None]
    return grid_sample(sheet[None], grid, mode="bilinear", padding_mode="border", align_corners=False)[0, :, 0].T


def _surface(
    paint: Tensor,
    region: Tensor,
    extra: Tensor,
    smooth: Tensor,
    openness: Tensor,
    turn: Tensor,
    metal: Tensor,
    light: Light,
) -> Tensor:
    """Shade one frame's opaque pixels to colours [P, 3]; extra [P, 5]: shadow, ambient, position."""
    shadow, sky, spot = extra[:, :1], extra[:, 1:2], extra[:, 2:]
    normal = _relief(smooth, paint[:, SLOPE], turn)
    table = _materials(region.device)[region.long()]
    soft = table[:, :1] * (1.0 - paint[:, CLOTH : CLOTH + 1])
    occlusion = torch.where(table[:, 1:] > 0, sky, openness[:, None])
    framed = (region == GLASSES)[:, None]
    albedo = torch.where(framed, metal, paint[:, ALBEDO])
    gloss = torch.where(framed, 0.8, paint[:, GLOSS : GLOSS + 1])
    view = normalize(-spot, dim=1)
    colour = shade(albedo, gloss, normal, smooth, view, shadow * occlusion.clamp(max=1), occlusion, soft, light)
    eye = torch.isin(region, torch.tensor(region_ids(*EYEBALL), device=region.device))
    colour[eye] += catch_light(smooth[eye], view[eye], light, shadow[eye]) * occlusion[eye]
    return colour


def _relief(smooth: Tensor, slope: Tensor, turn: Tensor) -> Tensor:
    """Tilt normals [P, 3] by the sheet's slopes [P, 2]; turn [3, 3] head to camera."""
    right = normalize(torch.linalg.cross(turn[:, 1].expand_as(smooth), smooth), dim=1)
    up = torch.linalg.cross(smooth, right)
    return normalize(smooth - slope[:, :1] * right + slope[:, 1:] * up, dim=1)


def _opening(regions: Tensor) -> Tensor:
    """Return how open to the light eyes and mouth are at each pixel [N, S, S]: lids and lips shade, upper ones most."""
    out = torch.ones(regions.shape, device=regions.device)

    def among(names: tuple[str, ...]) -> Tensor:
        return torch.isin(regions, torch.tensor(region_ids(*names), dtype=torch.uint8, device=regions.device))

    for names, share, dark in ((EYEBALL, 0.018, 0.25), (MOUTH_INTERIOR, 0.045, 0.08)):
        inside = among(names)
        half = int(share * regions.shape[1] / 4)
        k = 2 * half + 1
        near = inside[:, None, ::2, ::2].float()
        near = avg_pool2d(avg_pool2d(near, (k, 1), 1, (half, 0)), (1, k), 1, (0, half))
        # What is above decides twice.
        light = dark + (1.0 - dark) * (0.7 * near + 0.7 * torch.roll(near, half, dims=2) - 0.4)
        light = torch.nn.functional.interpolate(light, scale_factor=2, mode="nearest")[:, 0]
        out = torch.where(inside, light.clamp(dark, 1.0), out)
    # Teeth stand at the front of the mouth: the lips shade them less than what is behind.
    return torch.where(among(("teeth_upper", "teeth_lower")), 0.42 + 0.58 * out, out)


def _shadows(mesh: Mesh, worn: list[Wardrobe], scenery: Scenery) -> Tensor:
    """Return how much of the key lamp reaches each vertex past head and hair [N, W + B + T]."""
    surface = fine_surface()
    w = len(surface.base)
    line = torch.from_numpy(np.stack([w.hair.line for w in worn])).to(mesh.vertices.device)
    shown = torch.tensor([w.looks.hair_style != "bald" for w in worn], device=line.device)[:, None] & (line > 0.002)
    shell = mesh.hair[:, 1].masked_fill(~shown[..., None], float("nan"))
    casters = torch.cat([mesh.vertices[:, :w], shell], 1)
    faces = torch.cat([surface.faces.to(line.device), mesh.shared.hair_faces + w])
    ways = torch.stack([light.key_way for light in scenery.lights]).to(line.device)
    return light_visibility(mesh.vertices, casters, faces, ways, 224, 0.004)


def _lashes(mesh: Mesh, projected: Tensor, light: Tensor, depth: Tensor, side: int) -> Tensor:
    shared = mesh.shared
    w = len(shared.lash_cover)
    drawn: Fragments = rasterise(projected[:, :w].contiguous(), shared.lashes, side, side, cull_back=False)
    cover = interpolate(shared.lash_cover, shared.lashes, drawn)
    at = (drawn.depth < depth + 0.002).nonzero(as_tuple=True)
    light[at] = torch.lerp(light[at], torch.full_like(light[at], 0.006), cover[at])
    return light


@lru_cache(maxsize=2)
def _materials(device: torch.device) -> Tensor:
    """Tell by label [256, 2] whether light spreads beneath it, and whether the vertices' ambient light holds."""
    table = torch.zeros(256, 2)
    for name in ("skin", "neck", "ears", "eyelids", "lips"):
        table[REGIONS.index(name)] = 1.0
    table[[REGIONS.index("sclera"), REGIONS.index("tongue")], 0] = 0.6
    table[BODY] = 1.0
    table[GLASSES] = torch.tensor([0.0, 1.0])
    return table.to(device)
