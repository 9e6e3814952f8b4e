# SPDX-License-Identifier: Apache-2.0
"""Neck and shoulders below the head, so that a portrait has no cut: rings from the head's own rim outwards and down.

Clothes, and what skin they leave free, are painted on the body's part of the sheet.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from torch import Tensor

from reenact.head.model import Float, Int
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.smoothstep import smoothstep

from .chart import BODY_HEIGHT, HEIGHT, WIDTH
from .looks import Looks
from .noise import fractal, noise_volume, rng
from .people import SyntheticPerson

RINGS = 40
LAST = 2.4  # the rings' parameter runs from 0 at the head's rim to this
# Half width, half depth, drop below the rim at the sides and in front, along the rings' parameter; metres, adult.
_PROFILE = {
    "parameter": (0.0, 0.12, 0.25, 0.45, 0.7, 0.9, 1.05, 1.3, 1.8, 2.4),
    "width": (0.055, 0.056, 0.064, 0.098, 0.146, 0.182, 0.200, 0.213, 0.218, 0.220),
    "depth": (0.055, 0.057, 0.062, 0.076, 0.092, 0.104, 0.112, 0.122, 0.135, 0.145),
    "drop": (0.0, 0.018, 0.036, 0.068, 0.088, 0.110, 0.140, 0.210, 0.340, 0.520),
    "front_drop": (0.0, 0.022, 0.048, 0.090, 0.140, 0.180, 0.218, 0.285, 0.410, 0.580),
}


@lru_cache(maxsize=1)
def rim() -> Int:
    """Find the vertices of the head's lower rim, by angle around the neck, from the back over the subject's left."""
    head = open_head()
    faces = head.topology.faces.numpy()
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    single, count = np.unique(edges, axis=0, return_counts=True)
    rows = np.unique(single[count == 1])
    rows = rows[np.isin(rows, head.topology.region_vertices(1).numpy())]  # neck
    p = head.base_neutral.numpy()[rows]
    return rows[np.argsort(np.arctan2(-p[:, 0], p[:, 2] - p[:, 2].mean()))].astype(np.int32)


def body_mesh() -> tuple[Int, Float]:
    """Make the body's faces [B, 3] and their corners [B, 3, 2], sheet px.

    Faces index RINGS x len(rim) vertices, ring by ring, and are counter-clockwise from outside.
    """
    n = len(rim())
    ring, at = np.divmod(np.arange((RINGS - 1) * n), n)
    a, b = ring * n + at, ring * n + (at + 1) % n
    faces = np.concatenate([np.stack([a, a + n, b], 1), np.stack([b, a + n, b + n], 1)]).astype(np.int32)
    ring, at = np.divmod(faces, n)
    at = np.where(np.ptp(at, axis=1)[:, None] > n / 2, np.where(at == 0, n, at), at)
    x = 4 + at / n * (WIDTH - 8)
    y = HEIGHT + 4 + ring / (RINGS - 1) * (BODY_HEIGHT - 8)
    return faces, np.stack([x, y], -1).astype(np.float32)


def body(person: SyntheticPerson) -> Float:
    """Make the body of a person at rest [RINGS * n, 3], canonical, metres; its first ring is the head's rim."""
    first = person.head.neutral.numpy()[rim()]
    breadth = np.interp(person.age, (0, 2, 6, 12, 18), (0.50, 0.60, 0.70, 0.86, 1.0)) * (
        0.93 if person.female and person.age > 14 else 1.03
    )
    base_width = 0.5 * float(np.ptp(first[:, 0])) / _PROFILE["width"][0]
    s = np.linspace(0.0, LAST, RINGS)[:, None]
    turn = np.arctan2(first[:, 0], first[:, 2] - first[:, 2].mean())[None]  # 0 in front
    grow = (breadth - base_width) * np.clip(s / 0.9, 0, 1) + base_width
    side, ahead = np.abs(np.sin(turn)), np.cos(turn)
    # Shoulders are squarer than an ellipse.
    square = 1.0 / (side**2.6 + np.abs(ahead) ** 2.6) ** (1 / 2.6)
    square = 1.0 + (square - 1.0) * np.clip((s - 0.3) / 0.8, 0, 1)
    x = _over("width", s) * grow * square * np.sin(turn)
    z = first[:, 2].mean() + _over("depth", s) * grow * square * ahead - 0.012 * np.clip(s, 0, 1) * breadth
    front = np.clip(ahead, 0, 1) ** 1.5
    drop = (1 - front) * _over("drop", s) + front * _over("front_drop", s)
    level = first[:, 1] * (1 - np.clip(s / 0.5, 0, 1)) + first[:, 1].mean() * np.clip(s / 0.5, 0, 1)
    goal = np.stack([x + 0 * z, level - drop * breadth, z], -1)
    keep = (1 - np.clip(s / 0.3, 0, 1))[..., None] ** 2
    shape = goal + keep * (first[None] - goal[:1])
    shape[0] = first
    return shape.reshape(-1, 3).astype(np.float32)


def posed_body(person: SyntheticPerson, head_cam: Float, motion: Motion, rest: Motion | None = None) -> Float:
    """Pose a body [N, RINGS * n, 3], camera space, metres; its top follows the rim of the posed head [N, W, 3]."""
    turn, moved = person.torso(motion, rest)
    shape = body(person)
    posed = (shape @ turn.T)[None] + moved[:, None]
    n = len(rim())
    pull = head_cam[:, rim()] - posed[:, :n]
    fade = (1.0 - np.clip(np.arange(RINGS) / 6.0, 0, 1)) ** 2
    posed += (fade[:, None, None] * pull[:, None]).reshape(len(posed), -1, 3)
    return posed.astype(np.float32)


def _over(name: str, s: NDArray[np.floating]) -> NDArray[np.floating]:
    return PchipInterpolator(_PROFILE["parameter"], _PROFILE[name])(s)


def paint_body(sheet: Tensor, person: SyntheticPerson, looks: Looks) -> None:
    """Write the rows from HEIGHT on, in place. Columns go around the neck, the front in the middle."""
    draw = rng(person.seed, "clothes")
    y, x = torch.meshgrid(torch.arange(BODY_HEIGHT), torch.arange(WIDTH), indexing="ij")
    s = ((y - 4) / (BODY_HEIGHT - 8) * LAST).clamp(min=0).reshape(-1)
    turn = ((x - 4) / (WIDTH - 8) * 2 * np.pi - np.pi).reshape(-1)  # 0 in front
    around = torch.stack([torch.sin(turn) * (0.06 + 0.12 * s), s * 0.18, torch.cos(turn) * 0.12], 1)
    volume = noise_volume(person.seed, "cloth", 3)
    weave, folds_ = fractal(volume, around, 0.004, 2), fractal(volume, around + 0.5, 0.07, 3)
    front = torch.exp(-((turn / 0.42) ** 2))
    neckline = {"crew": 0.30 + 0.10 * front, "v": 0.33 + 0.55 * torch.exp(-(turn / 0.33).abs() ** 1.4),
                "shirt": 0.16 + 0.42 * torch.exp(-(turn / 0.22).abs() ** 1.5), "turtle": 0.0 * front - 0.2}  # fmt: skip
    edge = neckline[looks.collar] + 0.015 * folds_[:, 0] + draw.uniform(-0.03, 0.05)
    cloth = smoothstep(-0.012, 0.012, s - edge)[:, None]
    skin = torch.from_numpy(looks.tone) * (1.0 + 0.03 * folds_[:, :1] + 0.03 * weave[:, :1])
    skin = skin * (1.0 - 0.35 * smoothstep(-0.10, 0.0, s - edge)[:, None])  # the shade under the hem
    colour = _pattern(looks, s, turn, folds_) * (1.0 + 0.06 * weave[:, 1:2])
    hem = torch.exp(-(((s - edge - 0.035) / 0.018) ** 2))[:, None]
    colour = colour * (1.0 - 0.25 * hem)
    collar_fold = torch.exp(-(((s - edge - 0.17) / 0.02) ** 2))[:, None] * float(looks.collar == "shirt")
    colour = colour * (1.0 - 0.45 * collar_fold)
    albedo = (skin * (1 - cloth) + colour * cloth).clamp(0.004, 0.9)
    relief = (0.0022 * folds_[:, 1] * cloth[:, 0]).view(BODY_HEIGHT, WIDTH)
    part = sheet[:, HEIGHT:]
    part[:3] = albedo.T.view(3, BODY_HEIGHT, WIDTH)
    part[3] = (0.3 * (1 - cloth[:, 0])).view(BODY_HEIGHT, WIDTH)
    part[4, :, 1:-1] = (relief[:, 2:] - relief[:, :-2]) / 0.003
    part[5, 1:-1] = (relief[2:] - relief[:-2]) / 0.003
    part[4:6].clamp_(-0.7, 0.7)
    part[6] = cloth.view(BODY_HEIGHT, WIDTH)


def _pattern(looks: Looks, s: Tensor, turn: Tensor, folds_: Tensor) -> Tensor:
    """Return the colour of the cloth [N, 3]."""
    first, second = torch.from_numpy(looks.cloth), torch.from_numpy(looks.cloth_second)
    down, across = torch.sin(s * 42.0), torch.sin(turn * 38.0)
    share = {
        0: torch.zeros_like(s),
        1: smoothstep(-0.2, 0.2, down),
        2: 0.5 * smoothstep(0.2, 0.5, down) + 0.5 * smoothstep(0.2, 0.5, across),
        3: smoothstep(-0.1, 0.3, folds_[:, 2]),
    }[looks.cloth_pattern][:, None]
    return first * (1 - share) + second * share
