# SPDX-License-Identifier: Apache-2.0
"""Light, and how skin, cloth and eyes return it. Everything in camera space (x right, y down, z away), linear light."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .noise import rng

_WRAP = (0.38, 0.20, 0.15)
"""How far light creeps around an edge of skin, red, green and blue: blood lets red through."""


@dataclass(frozen=True)
class Light:
    """Two lamps far away and a sky."""

    key_way: np.ndarray  # [3] unit, towards the lamp
    key_rgb: np.ndarray  # [3]
    fill_way: np.ndarray  # [3] unit
    fill_rgb: np.ndarray  # [3]
    sky: np.ndarray  # [4, 3] ambient light: constant, and its change with the normal's x, y, z


def random_light(seed: int) -> Light:
    """From soft window light to a hard lamp at the side, warm or cold."""
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
    return Light(*(np.asarray(v, np.float32) for v in (key, key_rgb, fill, fill_rgb, sky)))


def _way(yaw: float, pitch: float) -> np.ndarray:
    """Unit vector from the face; yaw to the picture's right, pitch up, 0 at the camera."""
    return np.asarray([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), -np.cos(yaw) * np.cos(pitch)])


@dataclass(frozen=True)
class Lit:
    """A light as tensors on the device that shades with it."""

    key_way: Tensor  # [3]
    key_rgb: Tensor  # [3]
    fill_way: Tensor  # [3]
    fill_rgb: Tensor  # [3]
    sky: Tensor  # [4, 3]

    @staticmethod
    def on(light: Light, device: torch.device) -> Lit:
        return Lit(*(torch.from_numpy(value).to(device) for value in vars(light).values()))


def ambient(normal: Tensor, lit: Lit) -> Tensor:
    """[N, 3] light of the sky on a surface with normals [N, 3]."""
    return (lit.sky[0] + normal @ lit.sky[1:]).clamp(min=0.02)


def shade(
    albedo: Tensor,
    gloss: Tensor,
    normal: Tensor,
    smooth_normal: Tensor,
    view: Tensor,
    shadow: Tensor,
    occlusion: Tensor,
    soft: Tensor,
    lit: Lit,
) -> Tensor:
    """Colour [N, 3] of surface points.

    albedo [N, 3]; gloss [N, 1]; normal [N, 3] with, smooth_normal without the fine relief; view [N, 3] unit, towards
    the camera; shadow [N, 1] 1 where the key lamp is seen; occlusion [N, 1] 1 where the sky is; soft [N, 1] 1 where
    light spreads beneath the surface (skin), 0 on cloth and metal.
    """
    wrap = soft * torch.tensor(_WRAP, device=albedo.device)
    # Under the skin light forgets the relief, red most of all.
    blur = soft * torch.tensor([0.55, 0.25, 0.15], device=albedo.device)
    sky = ambient(normal, lit)
    total = sky * occlusion ** (1.0 - 0.25 * soft)
    for way, rgb, seen in ((lit.key_way, lit.key_rgb, shadow), (lit.fill_way, lit.fill_rgb, occlusion)):
        rough, fine = (smooth_normal @ way)[:, None], (normal @ way)[:, None]
        cosine = rough * blur + fine * (1.0 - blur)
        diffuse = ((cosine + wrap) / (1.0 + wrap)).clamp(min=0.0) ** (1.0 + 0.3 * soft)
        bled = seen ** (1.0 - 0.3 * soft * torch.tensor([1.0, 0.2, 0.0], device=albedo.device))
        total = total + rgb * diffuse * bled
    return albedo * total + _sheen(gloss, normal, view, shadow, occlusion, sky, lit)


def _sheen(
    gloss: Tensor, normal: Tensor, view: Tensor, shadow: Tensor, occlusion: Tensor, sky: Tensor, lit: Lit
) -> Tensor:
    """Mirror-like light [N, 3]: a broad lobe of dry skin and a narrow one of its oil."""
    facing = (normal * view).sum(1, keepdim=True).clamp(0.0, 1.0)
    edge = 0.04 + 0.30 * (1.0 - facing) ** 5
    out = 0.55 * gloss * edge * sky * occlusion
    for way, rgb, seen in ((lit.key_way, lit.key_rgb, shadow), (lit.fill_way, lit.fill_rgb, occlusion)):
        half = torch.nn.functional.normalize(way + view, dim=1)
        h = (normal * half).sum(1, keepdim=True).clamp(min=0.0)
        towards = (normal @ way)[:, None].clamp(0.0, 1.0)
        h2 = h * h
        h4 = h2 * h2
        h12 = h4 * h4 * h4
        lobe = 0.9 * h12 + 2.6 * gloss * h12 * h12 * h12 * h4 * h4
        out = out + rgb * seen * towards**0.5 * gloss * (edge + 0.02) * lobe
    return out


def catch_light(normal: Tensor, view: Tensor, lit: Lit, shadow: Tensor) -> Tensor:
    """[N, 3] the lamps mirrored in wet eyes: small and bright, with an edge."""
    mirrored = 2.0 * (normal * view).sum(1, keepdim=True) * normal - view
    out = torch.zeros_like(normal)
    for way, rgb, size in ((lit.key_way, lit.key_rgb, 0.955), (lit.fill_way, lit.fill_rgb, 0.965)):
        near = (mirrored @ way)[:, None]
        out = out + rgb * ((near - size) / 0.02).clamp(0.0, 1.0)
    sky = (-mirrored[:, 1:2]).clamp(0.0, 1.0) ** 2
    return (0.9 * out + 0.10 * sky * lit.sky[0]) * (0.3 + 0.7 * shadow)
