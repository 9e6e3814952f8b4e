# SPDX-License-Identifier: Apache-2.0
"""What a synthetic person looks like beside the shape: colours, hair, what they wear. All of it from the seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .noise import linear, rng
from .people import SyntheticPerson

_GOLDEN = 0.7548776662466927  # another irrational than the ages', so that tone and age do not go together

_TONES = tuple(
    linear(c)
    for c in (
        (236, 204, 184), (229, 190, 164), (220, 176, 145), (208, 160, 124), (184, 134, 100), (152, 104, 74),
        (116, 76, 52), (84, 54, 38),
    )
)  # fmt: skip
_HAIRS = tuple(linear(c) for c in ((24, 19, 17), (44, 31, 24), (78, 53, 36), (122, 84, 52), (182, 140, 88)))
_EYES = tuple(linear(c) for c in ((54, 32, 20), (86, 54, 30), (112, 92, 52), (94, 112, 92), (104, 132, 156)))


@dataclass(frozen=True)
class Looks:
    """Colours are linear light, 0 to 1."""

    tone: np.ndarray  # [3] skin
    redness: float  # 0..1 how red cheeks and nose are
    freckles: float  # 0..1
    moles: int
    wrinkles: float  # 0..1
    hair_colour: np.ndarray  # [3]
    hair_style: str  # short, crop, long, bob, back, bald, ring, cap or scarf
    parting: float  # radians from the middle of the head to the subject's left
    fringe_m: float  # how far hair falls over the forehead
    curl: float  # 0 straight .. 1 curly
    beard: float  # 0 shaven clean .. 1 a full stubble
    moustache: float
    brow_density: float
    lipstick: float
    liner: float
    iris: np.ndarray  # [3]
    pupil: float  # radius as a share of the iris
    teeth: np.ndarray  # [3]
    glasses: bool
    collar: str
    cloth: np.ndarray  # [3]
    cloth_second: np.ndarray  # [3]
    cloth_pattern: int  # 0 plain, 1 stripes, 2 checks, 3 mottled


def looks_of(person: SyntheticPerson) -> Looks:
    """Sample the looks of a person, their age's among them."""
    draw = rng(person.seed, "looks")
    u = draw.random
    age, female = person.age, person.female
    place = ((person.seed * _GOLDEN + 0.11) % 1.0) * (len(_TONES) - 1)
    tone = _between(_TONES, place) * np.exp(draw.normal(0, 0.05, 3) * (0.5, 0.5, 1.0))
    darkness = place / (len(_TONES) - 1)
    hair_place = np.clip(draw.normal(3.0 - 4.0 * darkness, 1.0), 0, len(_HAIRS) - 1)
    hair = _between(_HAIRS, hair_place)
    if u() < 0.12 * (1 - darkness):
        hair = linear((128, 58, 28))  # red
    greying = np.clip((age - draw.normal(52, 10)) / 25, 0, 1)
    if female and u() < 0.4:
        greying *= 0.15  # dyed
    shades = rng(person.seed, "shades").normal((0.0, -0.1), (0.15, 0.25))
    grey = linear((186, 184, 180)) * np.exp(shades[1])  # from iron to white
    hair = hair * np.exp(shades[0]) * (1 - greying) + grey * greying
    eyes = np.clip(draw.normal(2.6 - 3.4 * darkness, 1.2), 0, len(_EYES) - 1)
    return Looks(
        tone=tone.astype(np.float32),
        redness=float(np.clip(draw.normal(0.55, 0.25), 0.1, 1.2)),
        freckles=float(u() < 0.3) * u() * (0.6 - 0.3 * darkness) * float(age > 3),
        moles=int(draw.poisson(2 + age / 25)) if age > 4 else 0,
        wrinkles=float(np.clip((age - 28) / 50, 0, 1) * np.exp(draw.normal(0, 0.2))),
        hair_colour=hair.astype(np.float32),
        hair_style=_hair_style(draw, age, female),
        parting=float(draw.uniform(-0.7, 0.7)),
        fringe_m=float(draw.choice([0.0, 0.0, 0.012, 0.03])),
        curl=float(u() ** 2 + 0.3 * darkness),
        beard=0.0 if female or age < 17 else float(np.clip(draw.normal(0.35, 0.35), 0.06, 1)),
        moustache=0.0 if female or age < 17 else float(u() < 0.3) * u(),
        brow_density=float(np.clip(draw.normal(0.75, 0.2) - 0.45 * (age < 2), 0.25, 1.0)),
        lipstick=float(female and age > 16 and u() < 0.5) * u(),
        liner=(float(female and age > 15) * 0.6 * u() + 0.3) * (1.0 if age > 10 else 0.6),
        iris=_between(_EYES, eyes).astype(np.float32),
        pupil=float(draw.uniform(0.25, 0.5)),
        teeth=linear((226, 218, 200)) * np.exp(draw.normal(0, 0.06) - 0.003 * age) * (1, 0.99, 0.96 - 0.001 * age),
        glasses=bool(u() < (0.05 if age < 10 else 0.2 + 0.003 * age)),
        collar=str(draw.choice(("crew", "v", "shirt", "turtle"))),
        cloth=_cloth(draw),
        cloth_second=_cloth(draw),
        cloth_pattern=int(draw.choice([0, 0, 0, 1, 2, 3])),
    )


def _hair_style(draw: np.random.Generator, age: float, female: bool) -> str:
    if age < 1.5:
        return str(draw.choice(["bald", "crop", "crop", "cap"]))
    if draw.random() < 0.12:
        return str(draw.choice(["cap", "scarf"])) if female else "cap"
    if female:
        return str(draw.choice(["long", "bob", "back", "short"], p=[0.4, 0.25, 0.2, 0.15]))
    thin = np.clip((age - 30) / 60, 0, 0.6)
    if draw.random() < thin:
        return str(draw.choice(["ring", "bald", "crop"], p=[0.5, 0.2, 0.3]))
    return str(draw.choice(["short", "crop", "bob", "back"], p=[0.6, 0.25, 0.05, 0.1]))


def _cloth(draw: np.random.Generator) -> np.ndarray:
    """Sample a colour of clothes: dark and pale ones are more frequent than saturated ones."""
    grey, hue = draw.random(), draw.random(3)
    loud = draw.random() ** 2
    colour = (1 - loud) * grey + loud * hue
    return (0.02 + 0.75 * colour**2.2).astype(np.float32)


def _between(colours: tuple[np.ndarray, ...], place: float) -> np.ndarray:
    low = min(int(place), len(colours) - 2)
    return (1 - (place - low)) * colours[low] + (place - low) * colours[low + 1]
