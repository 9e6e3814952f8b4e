# SPDX-License-Identifier: Apache-2.0
"""What a portrait has beside its people: camera, light, background, and what the camera does to the picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reenact.head.motion import Motion
from reenact.rendering import Camera

from .light import Light, random_light
from .noise import rng
from .people import SyntheticPerson

_DISTANCE_M = (0.55, 1.6)  # from a phone at arm's length to a studio
_HEAD_M = 0.26  # height of a grown head with hair


@dataclass(frozen=True)
class Scene:
    """Everything from one seed. Fractions are of the picture's side."""

    seed: int
    light: Light
    distance_m: float
    head_share: float  # height of the head in the picture
    shift: tuple[float, float]  # of the head from the middle
    exposure: float  # stops
    balance: np.ndarray  # [3] gains of the channels
    contrast: float  # 1 plain
    saturation: float
    noise: float  # standard deviation in grey levels of 255, at middle grey
    blur: float  # of the lens, px of a 256 px picture
    jpeg: int | None  # quality, None if the picture was never compressed

    def camera(self, person: SyntheticPerson, size: int) -> Camera:
        """The camera in which the head, `distance_m` away, has its share of a square picture."""
        focal = self.head_share * size * self.distance_m / (_HEAD_M * person.size)
        return Camera(focal, size * (0.5 + self.shift[0]), size * (0.5 + self.shift[1]), size, size)

    def head_at(self, person: SyntheticPerson) -> np.ndarray:
        """[3] metres: where a head at rest is put. The eyes are above the middle of hair and chin."""
        return np.asarray([0.0, -0.004 * person.size, self.distance_m], np.float32)


def random_scene(seed: int, *, clean: bool = False) -> Scene:
    """The scene of a seed; clean: no noise, blur or compression."""
    draw = rng(seed, "scene")
    focus = np.exp(draw.uniform(*np.log(_DISTANCE_M)))
    grain, soft = draw.gamma(1.3, 1.3), draw.uniform(0.1, 0.8) ** 1.5
    quality = int(draw.integers(55, 97)) if draw.random() < 0.7 else None
    return Scene(
        seed=seed,
        light=random_light(seed),
        distance_m=float(focus),
        head_share=float(draw.uniform(0.62, 0.86)),
        shift=(float(draw.normal(0, 0.03)), float(draw.normal(0.0, 0.025))),
        exposure=float(draw.normal(0.02, 0.24)),
        balance=np.exp(draw.normal(0, 0.05, 3)).astype(np.float32),
        contrast=float(np.exp(draw.normal(0.0, 0.12))),
        saturation=float(np.clip(draw.normal(1.0, 0.12), 0.6, 1.35)) if draw.random() > 0.04 else 0.0,
        noise=0.0 if clean else float(min(grain, 9.0)),
        blur=0.0 if clean else float(soft),
        jpeg=None if clean else quality,
    )


def still_state(person: SyntheticPerson, scene: Scene) -> Motion:
    """One frame of a person at rest in front of a scene's camera."""
    return Motion(np.zeros(52), np.zeros((2, 2)), np.diag([1.0, -1.0, -1.0]), scene.head_at(person))
