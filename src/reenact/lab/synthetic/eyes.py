# SPDX-License-Identifier: Apache-2.0
"""Textures of eyes and mouth: the eyeball's square of the sheet, the teeth, and what else is inside in one colour."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reenact.head.smoothstep import smoothstep

from .chart import EYE_CORNER, EYE_PX, EYE_SPAN, TEETH_CORNERS, TEETH_PX, TEETH_SPAN_M, plain_spot
from .looks import Looks
from .noise import fractal, noise, noise_volume, rng
from .people import SyntheticPerson

GUM = np.asarray([0.30, 0.075, 0.07], np.float32)
_TOOTH_WIDTHS_MM = {
    "teeth_upper": (8.6, 6.6, 7.6, 7.1, 6.8, 10.2, 9.6),
    "teeth_lower": (5.4, 5.9, 6.9, 7.1, 7.2, 11.2, 10.6),
}


def paint_eyes_and_mouth(sheet: Tensor, person: SyntheticPerson, looks: Looks) -> None:
    """Write all that is inside of lids and lips into a sheet, in place."""
    _paint_eye(sheet, person, looks)
    _paint_plain(sheet, looks)
    _paint_teeth(sheet, person, looks)


def _paint_eye(sheet: Tensor, person: SyntheticPerson, looks: Looks) -> None:
    """Write sclera with veins, iris with fibres, and pupil."""
    axis = (torch.arange(EYE_PX) + 0.5) / EYE_PX * 2.0 - 1.0
    y, x = torch.meshgrid(axis * EYE_SPAN, axis * EYE_SPAN, indexing="ij")
    radius, turn = torch.hypot(x, y).view(-1), torch.atan2(y, x).view(-1)
    volume = noise_volume(person.seed, "eye", 2)
    plane = torch.stack([x.reshape(-1), y.reshape(-1), torch.zeros(EYE_PX**2)], 1)
    cloud = fractal(volume, plane, 0.35, 3)
    # Veins: thin lines where smooth noise crosses nought, bent by more of it; none near the iris.
    bent = noise(volume, plane + 0.15 * cloud[:, :1], (0.22, 0.5, 1.0))[:, 0]
    vein = torch.exp(-((bent / 0.07) ** 2)) * smoothstep(0.5, 1.0, radius)
    tired = float(rng(person.seed, "veins").uniform(0.15, 0.6))
    age = min(person.age / 90, 1.0)
    white = torch.tensor([0.53, 0.49 - 0.04 * age, 0.46 - 0.10 * age])
    sclera = white * (1.0 + 0.05 * cloud[:, :1]) * (1.0 - 0.16 * smoothstep(0.55, 1.1, radius)[:, None])
    sclera = sclera * (1.0 - tired * vein[:, None] * torch.tensor([0.10, 0.55, 0.5]))
    place = radius / 0.44  # the iris has 5.9 mm of the eyeball's 12, as the head's own iris region
    spokes = torch.stack([torch.cos(turn) * 6, torch.sin(turn) * 6, place * 1.2], 1)
    fibre = noise(volume, spokes, 0.35)[:, :1] + 0.6 * noise(volume, spokes * 2.3, 0.35)[:, 1:]
    iris = torch.from_numpy(looks.iris) * (1.0 + 0.45 * fibre)
    collar = smoothstep(looks.pupil + 0.28, looks.pupil + 0.05, place)[:, None]
    iris = iris * (1 - 0.4 * collar) + 0.4 * collar * torch.tensor([0.16, 0.09, 0.03])
    iris = iris * (1.0 - 0.75 * smoothstep(0.78, 1.0, place)[:, None])  # the dark ring at its edge
    iris = iris * (1.0 - smoothstep(looks.pupil + 0.03, looks.pupil - 0.03, place))[:, None] + 0.002
    edge = smoothstep(1.06, 0.96, place)[:, None]
    colour = sclera * (1 - edge) + iris * edge
    x0, y0 = EYE_CORNER
    sheet[:3, y0 : y0 + EYE_PX, x0 : x0 + EYE_PX] = colour.clamp(0.0, 0.95).T.view(3, EYE_PX, EYE_PX)
    sheet[3, y0 : y0 + EYE_PX, x0 : x0 + EYE_PX] = 1.0


def _paint_plain(sheet: Tensor, looks: Looks) -> None:
    """Write tongue, cavity, socket and lashes: one colour each."""
    plain = {
        "mouth_cavity": (0.35 * GUM, 0.3),
        "eye_socket": (looks.tone * (0.62, 0.40, 0.38), 0.3),
        "tongue": (GUM * (1.35, 1.5, 1.5), 0.6),
        "eyelashes": (np.asarray([0.015, 0.011, 0.009]), 0.0),
    }
    for name, (colour, gloss) in plain.items():
        x, y = (int(v) for v in plain_spot(name))
        for channel, value in enumerate((*colour, gloss)):
            sheet[channel, y - 16 : y + 16, x - 16 : x + 16] = float(value)


def _paint_teeth(sheet: Tensor, person: SyntheticPerson, looks: Looks) -> None:
    """Write both rows of teeth and their gums, each tooth a little different."""
    draw = rng(person.seed, "teeth")
    wide, high = TEETH_PX
    along = ((np.arange(wide) + 0.5) / wide - 0.5) * TEETH_SPAN_M * 1e3
    down = (np.arange(high) + 0.5) / high
    for region, widths in _TOOTH_WIDTHS_MM.items():
        edges = np.cumsum((0.0, *widths))
        edges = np.r_[-edges[:0:-1], edges]
        edges[1:-1] += draw.normal(0, 0.15, len(edges) - 2)
        tooth = np.clip(np.searchsorted(edges, along) - 1, 0, len(edges) - 2)
        place = (along - edges[tooth]) / np.diff(edges)[tooth]  # 0..1 across the tooth
        gap = np.exp(-((np.minimum(place, 1 - place) * np.diff(edges)[tooth] / 0.38) ** 2))
        shade = np.exp(draw.normal(0, 0.05, len(edges)))[tooth]
        gum_line = 0.20 + 0.12 * (2 * place - 1) ** 2 + draw.normal(0, 0.02, len(edges))[tooth]
        gum = np.clip((gum_line[None] - down[:, None]) / 0.07 + 0.5, 0, 1)[..., None]
        bright = (shade * (1 - 0.65 * gap))[None] * (0.86 + 0.14 * np.sin(np.pi * down))[:, None]
        enamel = bright[..., None] * looks.teeth * (1.0 if region == "teeth_upper" else 0.9)
        colour = enamel * (1 - gum) + gum * GUM * 1.3
        x0, y0 = TEETH_CORNERS[region]
        there = torch.from_numpy(colour.astype(np.float32)).permute(2, 0, 1)
        sheet[:3, y0 : y0 + high, x0 : x0 + wide] = there.clamp(0.0, 0.9)
        sheet[3, y0 : y0 + high, x0 : x0 + wide] = 0.9
