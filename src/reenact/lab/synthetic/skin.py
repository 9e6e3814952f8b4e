# SPDX-License-Identifier: Apache-2.0
"""Textures of a person's sheet: skin with all that grows and shows on it. Procedural throughout, no photo in it."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import torch
from torch import Tensor

from reenact.head.landmarks import (
    LEFT_BROW,
    LEFT_LOWER_LID,
    LEFT_UPPER_LID,
    RIGHT_BROW,
    RIGHT_LOWER_LID,
    RIGHT_UPPER_LID,
)
from reenact.head.regions import region_ids
from reenact.head.smoothstep import smoothstep

from .body import paint_body
from .chart import BODY_HEIGHT, HEIGHT, SKIN_WIDTH, WIDTH, chart, fold_curve
from .eyes import paint_eyes_and_mouth
from .folds import folds
from .hair import hairline
from .looks import Looks
from .noise import fractal, noise, noise_volume, rng
from .people import SyntheticPerson

CHANNELS = 7
"""Of a sheet: albedo (linear red, green, blue), gloss (0..1), the slope of fine relief to the right and down, cloth (1,
else 0)."""
ALBEDO, GLOSS, SLOPE, CLOTH = slice(0, 3), 3, slice(4, 6), 6

_BEARD = (58, 177, 147, 187, 205, 206, 98, 2, 327, 426, 425, 411, 376, 401, 288, 397, 365, 379, 378, 400, 377, 152,
          148, 176, 149, 150, 136, 172)  # fmt: skip
_MOUSTACHE = (57, 186, 92, 98, 2, 327, 322, 410, 287, 270, 0, 40)
_PX_M = 0.00055  # of the chart, roughly
_BROW_SCALE = 3  # the strands are drawn larger and shrunk: they are thinner than a pixel


def paint_sheet(person: SyntheticPerson, looks: Looks) -> Tensor:
    """Make the sheet [CHANNELS, HEIGHT, WIDTH] float32 that the renderer samples (see chart.py for the places)."""
    sheet = torch.zeros(CHANNELS, HEIGHT + BODY_HEIGHT, WIDTH)
    points = chart().position.view(-1, 3)
    volume = noise_volume(person.seed, "skin", 3)
    # One volume's three channels serve for unrelated things, at unrelated scales.
    coarse = fractal(volume, points, 0.035, 3)
    medium = fractal(volume, points + 0.37, 0.007, 3)
    fine = fractal(volume, points + 0.71, 0.0016, 2)
    albedo = _skin(person, looks, coarse, medium, fine)
    relief = _relief(person, looks, medium, fine)
    gloss = _gloss(looks, medium)
    skin = torch.cat([albedo.T, gloss[None]]).view(4, HEIGHT, SKIN_WIDTH)
    sheet[:4, :HEIGHT, :SKIN_WIDTH] = skin
    sheet[4, :HEIGHT, 1 : SKIN_WIDTH - 1] = (relief[:, 2:] - relief[:, :-2]) / (2 * _PX_M)
    sheet[5, 1 : HEIGHT - 1, :SKIN_WIDTH] = (relief[2:] - relief[:-2]) / (2 * _PX_M)
    sheet[SLOPE] = sheet[SLOPE].clamp(-0.6, 0.6)
    paint_eyes_and_mouth(sheet, person, looks)
    paint_body(sheet, person, looks)
    return sheet


def _skin(person: SyntheticPerson, looks: Looks, coarse: Tensor, medium: Tensor, fine: Tensor) -> Tensor:
    """Return the albedo [N, 3]."""
    masks = _region_masks()
    tone = torch.from_numpy(looks.tone)
    light = 1.0 + 0.035 * coarse[:, :1] + 0.025 * medium[:, :1] + 0.03 * fine[:, :1]
    albedo = tone * light
    # Blood: where skin is thin or much supplied, unevenly.
    blood = looks.redness * (0.75 * masks["flush"] + 0.08 * coarse[:, 1:2] + 0.06 * medium[:, 1:2]).clamp(-0.2, 1.2)
    albedo = albedo * (1.0 - blood * torch.tensor([0.05, 0.26, 0.22]))
    yellow = 0.05 * coarse[:, 2:3]
    albedo = albedo * (1.0 - yellow * torch.tensor([0.1, 0.3, 1.0]))
    tired = (0.16 + 0.22 * looks.wrinkles) * masks["under_eye"] + 0.18 * masks["eyelids"]
    albedo = albedo * (1.0 - tired * torch.tensor([0.75, 1.0, 0.85]))
    creases = (_wrinkle_lines().sum(0).clamp(max=1.0)).view(-1, 1) * looks.wrinkles
    albedo = albedo * (1.0 - 0.22 * creases * torch.tensor([0.7, 1.0, 1.0]))
    albedo = _spots(person, looks, albedo, medium, fine)
    lips = masks["lips"]
    red = tone * torch.tensor([0.74, 0.45, 0.47]) + torch.tensor([0.035, 0.0, 0.008])
    pale = float(np.interp(person.age, (3, 15), (0.35, 0.0)))  # children's lips stand out less
    red = red * (1 - pale) + pale * tone * torch.tensor([0.95, 0.74, 0.72])
    stick = torch.tensor(rng(person.seed, "lipstick").uniform((0.25, 0.01, 0.02), (0.55, 0.12, 0.16)))
    lip = red * (1.0 + 0.10 * medium[:, 2:3]) * (1 - looks.lipstick) + looks.lipstick * stick.float()
    albedo = albedo * (1 - lips) + lip * lips
    hair = torch.from_numpy(looks.hair_colour)
    grain = (0.85 + 0.6 * fine[:, 2:3]).clamp(0.0, 1.4)
    stubble = (looks.beard * masks["beard"] + 0.8 * looks.moustache * masks["moustache"]).clamp(0, 1)
    albedo = _over(
        albedo, torch.minimum(0.75 * hair + 0.01, 0.5 * tone), (0.6 * stubble * grain).clamp(0, 0.85) * (1 - lips)
    )
    if looks.hair_style not in ("bald",):
        scalp = masks["scalp" if looks.hair_style != "ring" else "ring"]
        albedo = _over(albedo, hair, (scalp * (0.72 + 0.2 * grain)).clamp(0, 0.95))
    else:
        albedo = _over(albedo, hair, 0.10 * masks["scalp"] * grain)
    brows = _brow_cover(person, looks).view(-1, 1)
    dark = torch.minimum(0.6 * hair + 0.004, 0.45 * tone)
    albedo = _over(albedo, dark, brows)
    albedo = _over(albedo, torch.tensor([0.02, 0.015, 0.012]), looks.liner * masks["liner"])
    return albedo.clamp(0.004, 0.95)


def _spots(person: SyntheticPerson, looks: Looks, albedo: Tensor, medium: Tensor, fine: Tensor) -> Tensor:
    """Add freckles, age spots and moles."""
    points = chart().position.view(-1, 3)
    freckle = smoothstep(0.6, 1.0, fine[:, 1:2] + 0.12 * medium[:, 2:3]) * _region_masks()["flush"].sqrt()
    albedo = albedo * (1.0 - looks.freckles * freckle * torch.tensor([0.25, 0.4, 0.5]))
    spots = noise(noise_volume(person.seed, "age", 1), points, 0.0055)
    aged = max(0.0, looks.wrinkles - 0.45) * smoothstep(0.75, 1.05, spots + 0.3 * medium[:, 1:2])
    albedo = albedo * (1.0 - aged * torch.tensor([0.18, 0.30, 0.34]))
    draw = rng(person.seed, "moles")
    canvas = np.zeros((HEIGHT, SKIN_WIDTH), np.float32)
    for _ in range(looks.moles):
        x, y = draw.normal(377, 110), draw.uniform(110, 430)
        cv2.circle(canvas, (int(x * 8), int(y * 8)), int(8 * draw.uniform(0.6, 2.2)), (1.0,), -1, cv2.LINE_AA, 3)
    canvas = cv2.GaussianBlur(canvas, (0, 0), 0.7)
    return _over(albedo, albedo * torch.tensor([0.35, 0.25, 0.22]), torch.from_numpy(canvas).view(-1, 1) * 0.8)


def _relief(person: SyntheticPerson, looks: Looks, medium: Tensor, fine: Tensor) -> Tensor:
    """Return the relief [HEIGHT, SKIN_WIDTH], metres: pores, the grain of lips, and the wrinkles that never go."""
    masks = _region_masks()
    old = looks.wrinkles
    grown = 0.2 + 0.8 * min(person.age / 20, 1.0)
    height = (0.00007 * grown * fine[:, :1] + (0.00005 + 0.00022 * old) * medium[:, 2:3]).view(HEIGHT, SKIN_WIDTH)
    # Vertical grain of the lips.
    x = torch.arange(SKIN_WIDTH)[None] + 6.0 * medium[:, 1].view(HEIGHT, SKIN_WIDTH)
    lips = masks["lips"].view(HEIGHT, SKIN_WIDTH)
    height = height * (1 - lips) + lips * 0.00010 * torch.sin(x * 1.3)
    lines = _wrinkle_lines()
    strength = torch.from_numpy(np.exp(rng(person.seed, "lines").normal(0, 0.4, len(lines))).astype(np.float32))
    creased = (lines * strength[:, None, None]).sum(0)
    wobble = 1.0 + 0.8 * medium[:, 0].view(HEIGHT, SKIN_WIDTH)
    return height - 0.0019 * old * creased * wobble


def _gloss(looks: Looks, medium: Tensor) -> Tensor:
    """Return how much the skin shines [N]: forehead, nose and lips most."""
    masks = _region_masks()
    shine = 0.28 + 0.30 * masks["shine"] + 0.10 * medium[:, :1]
    shine = shine * (1 - masks["lips"]) + (0.55 + 0.4 * looks.lipstick) * masks["lips"]
    return (shine * (1.0 - 0.5 * masks["beard"] * looks.beard)).clamp(0, 1)[:, 0]


def _over(below: Tensor, colour: Tensor, cover: Tensor) -> Tensor:
    return below * (1 - cover) + colour * cover


@lru_cache(maxsize=1)
def _region_masks() -> dict[str, Tensor]:
    """Make soft masks [HEIGHT * SKIN_WIDTH, 1], 0 to 1, of places on the chart."""
    flat = chart()
    marks, p = flat.landmarks, flat.position.view(-1, 3)

    def polygon(numbers: tuple[int, ...], blur: float) -> np.ndarray:
        canvas = np.zeros((HEIGHT, SKIN_WIDTH), np.float32)
        cv2.fillPoly(canvas, [np.round(marks[list(numbers)] * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
        return cv2.GaussianBlur(canvas, (0, 0), blur)

    def blobs(*places: tuple[int, float, float]) -> np.ndarray:
        canvas = np.zeros((HEIGHT, SKIN_WIDTH), np.float32)
        y, x = np.mgrid[:HEIGHT, :SKIN_WIDTH]
        for number, radius, gain in places:
            d = ((x - marks[number, 0]) ** 2 + (y - marks[number, 1]) ** 2) / radius**2
            canvas = np.maximum(canvas, gain * np.exp(-d).astype(np.float32))
        return canvas

    def region(name: str, blur: float) -> np.ndarray:
        return cv2.GaussianBlur((flat.labels == region_ids(name)[0]).astype(np.float32), (0, 0), blur)

    lips, lids = region("lips", 1.6), region("eyelids", 5.0)
    beard = polygon(_BEARD, 9.0)
    beard *= 1.0 - 0.9 * blobs((17, 9.0, 0.6))
    lash_line = np.zeros((HEIGHT, SKIN_WIDTH), np.float32)
    for arc in (RIGHT_UPPER_LID, LEFT_UPPER_LID):
        cv2.polylines(lash_line, [np.round(marks[list(arc)] * 16).astype(np.int32)], False, (1.0,), 2, cv2.LINE_AA, 4)
    for arc in (RIGHT_LOWER_LID[:-2], LEFT_LOWER_LID[:-2]):
        cv2.polylines(lash_line, [np.round(marks[list(arc)] * 16).astype(np.int32)], False, (0.5,), 1, cv2.LINE_AA, 4)
    ears = torch.from_numpy(region("ears", 1.5)).view(-1)
    scalp = (1.0 - ears) * smoothstep(-0.003, 0.010, torch.from_numpy(hairline(flat.position.numpy())).float()).view(-1)
    masks = {
        "lips": lips.clip(0, 1),
        "eyelids": lids,
        "beard": beard * (1 - lips),
        "moustache": polygon(_MOUSTACHE, 3.5) * (1 - lips),
        "flush": blobs((205, 34, 1.0), (425, 34, 1.0), (4, 15, 0.9), (152, 16, 0.4), (234, 30, 0.4), (454, 30, 0.4)),
        "under_eye": blobs((230, 15, 1.0), (450, 15, 1.0), (133, 9, 0.8), (362, 9, 0.8)),
        "shine": blobs((4, 12, 1.0), (6, 12, 0.6), (151, 45, 0.8), (117, 20, 0.5), (346, 20, 0.5), (199, 14, 0.5)),
        "liner": cv2.GaussianBlur(lash_line, (0, 0), 0.8),
    }
    out = {name: torch.from_numpy(np.ascontiguousarray(m, np.float32)).view(-1, 1) for name, m in masks.items()}
    out["scalp"] = scalp.view(-1, 1)
    out["ring"] = (scalp * smoothstep(0.055, 0.030, p[:, 1])).view(-1, 1)
    return out


@lru_cache(maxsize=1)
def _wrinkle_lines() -> Tensor:
    """Render furrows 0..1 along the folds' curves [K, HEIGHT, SKIN_WIDTH]: what is left of them in a face at rest."""

    out = []
    for fold in folds():
        canvas = np.zeros((HEIGHT, SKIN_WIDTH), np.float32)
        curve = np.round(fold_curve(fold.points) * 16).astype(np.int32)
        cv2.polylines(canvas, [curve], False, (1.0,), 2, cv2.LINE_AA, 4)
        canvas = cv2.GaussianBlur(canvas, (0, 0), 1.5)
        out.append(canvas * (1.0 if fold.name.startswith(("nasolabial", "marionette")) else 0.7))
    return torch.from_numpy(np.stack(out))


def _brow_cover(person: SyntheticPerson, looks: Looks) -> Tensor:
    """Render how much of the skin the hairs of the brows hide [HEIGHT, SKIN_WIDTH], 0..1, hair by hair."""
    draw = rng(person.seed, "brows")
    marks = chart().landmarks
    canvas = np.zeros((HEIGHT * _BROW_SCALE, SKIN_WIDTH * _BROW_SCALE), np.float32)
    thick = draw.uniform(0.6, 1.15) * (0.8 if person.female else 1.05)
    for brow in (RIGHT_BROW, LEFT_BROW):
        lower, upper = marks[list(brow[4::-1])], marks[list(brow[:4:-1])]  # inner to outer end
        middle = 0.5 * (upper + lower)
        outward = np.sign(middle[-1, 0] - middle[0, 0])
        at = np.linspace(0, 1, 5)
        for _ in range(int(340 * looks.brow_density)):
            t = draw.beta(1.05, 1.25)
            across = draw.uniform(-0.5, 0.5) * thick * np.interp(t, (0, 0.1, 0.6, 1), (0.7, 1.0, 0.85, 0.25))
            low, high = (np.asarray([np.interp(t, at, edge[:, i]) for i in (0, 1)]) for edge in (lower, upper))
            root = 0.5 * (low + high) + across * (low - high)
            # Upright at the nose, along the brow farther out, and down from above at the tail.
            lean = np.interp(t, (0, 0.25, 0.7, 1), (1.15, 0.55, 0.1, -0.35)) + draw.normal(0, 0.16) - 0.5 * across
            length = draw.uniform(5.0, 9.5) * np.interp(t, (0, 0.3, 1), (0.8, 1.0, 0.7))
            tip = root + length * np.asarray([outward * np.cos(lean), -np.sin(lean)])
            bend = 0.5 * (root + tip) + [0.0, -0.5]
            strand = np.round(np.stack([root, bend, tip]) * _BROW_SCALE * 16).astype(np.int32)
            cv2.polylines(canvas, [strand], False, (float(draw.uniform(0.55, 1.0)),), 1, cv2.LINE_AA, 4)
    small = cv2.resize(canvas, (SKIN_WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    haze = cv2.GaussianBlur(small, (0, 0), 2.2)  # the hairs behind and the shade beneath
    cover = np.clip((1.05 * small + 0.55 * haze) * 1.25, 0.0, 0.95) * (0.45 + 0.55 * looks.brow_density)
    return torch.from_numpy(cover.astype(np.float32))
