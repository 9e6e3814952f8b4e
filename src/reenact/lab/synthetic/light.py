# SPDX-License-Identifier: Apache-2.0
"""Light, its shadows, and how skin, cloth and eyes return it, in linear light.

Everything is in camera space (x right, y down, z away).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from reenact.rendering import rasterise

from .noise import rng


@dataclass(frozen=True)
class Light:
    """Two lamps far away and a sky."""

    key_way: Tensor  # [3] unit, towards the lamp
    key_rgb: Tensor  # [3]
    fill_way: Tensor  # [3] unit
    fill_rgb: Tensor  # [3]
    sky: Tensor  # [4, 3] ambient light: constant, and its change with the normal's x, y, z

    def to(self, device: torch.device) -> Light:
        """Return the light on a device."""
        return Light(*(value.to(device) for value in vars(self).values()))


def random_light(seed: int) -> Light:
    """Draw a light, from a soft window to a hard lamp at the side, warm or cold."""
    draw = rng(seed, "light")
    yaw, pitch = draw.normal(0, 0.75), draw.uniform(-0.1, 0.95)
    key = _way(yaw, pitch)
    fill = _way(-np.sign(yaw) * draw.uniform(0.5, 1.6), draw.uniform(-0.2, 0.7))
    warmth = draw.normal(0, 0.10)
    contrast = draw.beta(2.2, 2.0)
    tint = np.exp(warmth * np.asarray([1.0, 0.1, -1.0]))
    ambient = np.exp(-0.8 * warmth * np.asarray([1.0, 0.1, -1.0]) + draw.normal(0, 0.05, 3))
    level = 0.74 - 0.46 * contrast
    slope = draw.normal(0, 0.20, (3, 1)) * ambient
    slope[1] -= 0.32 * ambient  # the sky is above, y is down
    slope[2] -= 0.12 * ambient
    sky = level * np.concatenate([ambient[None], slope])
    key_rgb = (0.42 + 1.0 * contrast) * tint
    fill_rgb = draw.uniform(0.0, 0.35) * np.exp(draw.normal(0, 0.12, 3))
    return Light(*(torch.from_numpy(np.asarray(v, np.float32)) for v in (key, key_rgb, fill, fill_rgb, sky)))


def _way(yaw: float, pitch: float) -> np.ndarray:
    """Unit vector from the face; yaw to the picture's right, pitch up, 0 at the camera."""
    return np.asarray([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), -np.cos(yaw) * np.cos(pitch)])


def ambient(normal: Tensor, light: Light) -> Tensor:
    """Return the light of the sky [N, 3] on a surface with normals [N, 3]."""
    return (light.sky[0] + normal @ light.sky[1:]).clamp(min=0.02)


def shade(
    albedo: Tensor,
    gloss: Tensor,
    normal: Tensor,
    smooth_normal: Tensor,
    view: Tensor,
    shadow: Tensor,
    occlusion: Tensor,
    soft: Tensor,
    light: Light,
) -> Tensor:
    """Shade surface points to colours [N, 3].

    albedo [N, 3]; gloss [N, 1]; normal [N, 3] with, smooth_normal without the fine relief; view [N, 3] unit, towards
    the camera; shadow [N, 1] 1 where the key lamp is seen; occlusion [N, 1] 1 where the sky is; soft [N, 1] 1 where
    light spreads beneath the surface (skin), 0 on cloth and metal.
    """
    # Light creeps around an edge of skin, red most of all: blood lets it through.
    wrap = soft * torch.tensor([0.38, 0.20, 0.15], device=albedo.device)
    # Under the skin light forgets the relief, red most of all.
    blur = soft * torch.tensor([0.55, 0.25, 0.15], device=albedo.device)
    sky = ambient(normal, light)
    total = sky * occlusion ** (1.0 - 0.25 * soft)
    for way, rgb, visible in ((light.key_way, light.key_rgb, shadow), (light.fill_way, light.fill_rgb, occlusion)):
        rough, fine = (smooth_normal @ way)[:, None], (normal @ way)[:, None]
        cosine = rough * blur + fine * (1.0 - blur)
        diffuse = ((cosine + wrap) / (1.0 + wrap)).clamp(min=0.0) ** (1.0 + 0.3 * soft)
        bled = visible ** (1.0 - 0.3 * soft * torch.tensor([1.0, 0.2, 0.0], device=albedo.device))
        total = total + rgb * diffuse * bled
    return albedo * total + _sheen(gloss, normal, view, shadow, occlusion, sky, light)


def _sheen(
    gloss: Tensor, normal: Tensor, view: Tensor, shadow: Tensor, occlusion: Tensor, sky: Tensor, light: Light
) -> Tensor:
    """Return the specular light [N, 3]: a broad lobe of dry skin and a narrow one of its oil."""
    facing = (normal * view).sum(1, keepdim=True).clamp(0.0, 1.0)
    edge = 0.04 + 0.30 * (1.0 - facing) ** 5
    out = 0.55 * gloss * edge * sky * occlusion
    for way, rgb, visible in ((light.key_way, light.key_rgb, shadow), (light.fill_way, light.fill_rgb, occlusion)):
        half = torch.nn.functional.normalize(way + view, dim=1)
        h = (normal * half).sum(1, keepdim=True).clamp(min=0.0)
        towards = (normal @ way)[:, None].clamp(0.0, 1.0)
        h2 = h * h
        h4 = h2 * h2
        h12 = h4 * h4 * h4
        lobe = 0.9 * h12 + 2.6 * gloss * h12 * h12 * h12 * h4 * h4
        out = out + rgb * visible * towards**0.5 * gloss * (edge + 0.02) * lobe
    return out


def catch_light(normal: Tensor, view: Tensor, light: Light, shadow: Tensor) -> Tensor:
    """Return the lamps mirrored in wet eyes [N, 3]: small and bright, with an edge."""
    mirrored = 2.0 * (normal * view).sum(1, keepdim=True) * normal - view
    out = torch.zeros_like(normal)
    for way, rgb, size in ((light.key_way, light.key_rgb, 0.955), (light.fill_way, light.fill_rgb, 0.965)):
        near = (mirrored @ way)[:, None]
        out = out + rgb * ((near - size) / 0.02).clamp(0.0, 1.0)
    sky = (-mirrored[:, 1:2]).clamp(0.0, 1.0) ** 2
    return (0.9 * out + 0.10 * sky * light.sky[0]) * (0.3 + 0.7 * shadow)


def light_visibility(
    points: Tensor, casters: Tensor, faces: Tensor, to_light: Tensor, size: int, bias_m: float
) -> Tensor:
    """Return how much of a far light reaches each point: [N, P] in 0..1, edges softened over some pixels of the map.

    points [N, P, 3], casters [N, W, 3] metres in one frame, any; faces [G, 3] of the casters; to_light [N, 3] unit.
    The map is a parallel projection along the light, `size` pixels over 0.4 m around the casters' middle. A caster
    that is not finite casts no shadow.
    """
    away = -to_light
    helper = torch.where(away[:, :1].abs() < 0.9, away.new_tensor([1.0, 0, 0]), away.new_tensor([0, 1.0, 0]))
    right = torch.nn.functional.normalize(torch.linalg.cross(helper, away), dim=1)
    axes = torch.stack([right, torch.linalg.cross(away, right), away], 1)
    middle = casters[:, :1000].mean(1, keepdim=True)  # of some of the head's
    scale = size / 0.4

    def on_map(positions: Tensor) -> Tensor:
        local = (positions - middle) @ axes.transpose(1, 2)
        return torch.cat([local[..., :2] * scale + size / 2, local[..., 2:] + 2.0], -1)

    projected = torch.nan_to_num(on_map(casters), nan=-1.0)  # the rasteriser drops what lies behind
    depth = rasterise(projected, faces, size, size, cull_back=False).depth
    place = on_map(points)
    visible = torch.zeros_like(place[..., 2])
    image = torch.arange(len(place), device=place.device)[:, None]
    x, y = place[..., 0].long(), place[..., 1].long()
    offsets = (-2, 0, 2)
    for dy in offsets:
        for dx in offsets:
            near = depth[image, (y + dy).clamp(0, size - 1), (x + dx).clamp(0, size - 1)]
            # Farther taps may lie on a slope that faces the light at an angle: they get more room.
            room = bias_m * (1.0 + 0.75 * (abs(dx) + abs(dy)))
            visible += (place[..., 2] <= near + room).float()
    return visible / len(offsets) ** 2
