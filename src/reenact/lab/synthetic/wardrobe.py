# SPDX-License-Identifier: Apache-2.0
"""All of a person that does not change from frame to frame, made once: sheets, hair, glasses."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import Tensor

from reenact.head.model import Float

from .glasses import glasses
from .hair import HEADDRESSES, Hair, hair, hair_sheet
from .looks import Looks, looks_of
from .noise import rng
from .people import SyntheticPerson
from .skin import paint_sheet

_KEPT = 24  # people: a sheet is 22 MB
_known: OrderedDict[tuple[int, float, bool], Wardrobe] = OrderedDict()


@dataclass(frozen=True)
class Wardrobe:
    """The looks, clothes, hair and glasses of one person."""

    looks: Looks
    sheet: Tensor  # see skin.py
    hair: Hair
    hair_sheet: Tensor  # see hair.py
    glasses: Float | None  # [T, 3] canonical, metres
    frame_colour: tuple[float, float, float]

    @property
    def has_headdress(self) -> bool:
        return self.looks.hair_style in HEADDRESSES


def wardrobe_of(person: SyntheticPerson) -> Wardrobe:
    """Make the wardrobe of a person, in about half a second; the last few are kept."""
    key = (person.seed, person.age, person.female)
    if key in _known:
        _known.move_to_end(key)
        return _known[key]
    looks = looks_of(person)
    shells = hair(person, looks)
    draw = rng(person.seed, "frame")
    dark = draw.random() < 0.7
    colour = draw.uniform(0.005, 0.05, 3) if dark else draw.uniform(0.05, 0.35) * draw.uniform(0.6, 1.0, 3)
    made = Wardrobe(
        looks,
        paint_sheet(person, looks),
        shells,
        hair_sheet(person, looks, shells),
        glasses(person) if looks.glasses else None,
        (float(colour[0]), float(colour[1]), float(colour[2])),
    )
    _known[key] = made
    while len(_known) > _KEPT:
        _known.popitem(last=False)
    return made
