# SPDX-License-Identifier: Apache-2.0
"""What a portrait has beside its people: camera, light, background, and what the camera does to the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from reenact.head.motion import Motion
from reenact.rendering import Camera

from .light import Light, random_light
from .noise import rng
from .people import SyntheticPerson

Image = np.ndarray  # uint8 RGB [H, W, 3]
_BACKGROUND_PX = 160  # side at which backgrounds are painted: they are blurred anyway


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
        """Return the camera in which the head, `distance_m` away, has its share of a square picture."""
        focal = self.head_share * size * self.distance_m / (0.26 * person.size)  # metres of a grown head with hair
        return Camera(focal, size * (0.5 + self.shift[0]), size * (0.5 + self.shift[1]), size, size)

    def head_at(self, person: SyntheticPerson) -> np.ndarray:
        """Return the translation of a head at rest [3], metres. The eyes are above the middle of hair and chin."""
        return np.asarray([0.0, -0.004 * person.size, self.distance_m], np.float32)


def random_scene(seed: int, *, clean: bool = False) -> Scene:
    """Sample the scene of a seed; clean: no noise, blur or compression."""
    draw = rng(seed, "scene")
    focus = np.exp(draw.uniform(*np.log((0.55, 1.6))))  # metres: from a phone at arm's length to a studio
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
    """Make one frame of a person at rest in front of a scene's camera."""
    return Motion(np.zeros(52), np.zeros((2, 2)), np.diag([1.0, -1.0, -1.0]), scene.head_at(person))


def develop(light: np.ndarray, scene: Scene, frame: int) -> Image:
    """Develop linear light [H, W, 3] to uint8 RGB: exposure, white balance, tone curve, lens blur, noise, JPEG.

    frame: numbers the noise, so that a video's flickers.
    """
    size = light.shape[1]
    sigma = scene.blur * size / 256
    if sigma > 0.15:
        light = cv2.GaussianBlur(light, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    value = light * scene.balance * 2.0**scene.exposure
    grey = value @ np.asarray([0.2126, 0.7152, 0.0722], np.float32)
    value = np.maximum(grey[..., None] + scene.saturation * (value - grey[..., None]), 0.0)
    # A shoulder instead of clipping, as cameras have; 0.8 of full light still shows its colour.
    value = value / (1.0 + 0.22 * value) * 1.1
    encoded = np.where(value <= 0.0031308, 12.92 * value, 1.055 * np.maximum(value, 1e-6) ** (1 / 2.4) - 0.055)
    encoded = 255.0 * (0.5 + scene.contrast * (encoded - 0.5))
    if scene.noise > 0:
        draw = rng(scene.seed, f"sensor{frame}")
        grain = draw.standard_normal(light.shape, dtype=np.float32)
        grain = 0.7 * grain + 0.6 * grain.mean(-1, keepdims=True)
        # Sensors are noisier where it is dark, once the tone curve has lifted it.
        encoded = encoded + scene.noise * grain * (1.25 - 0.5 * np.clip(encoded / 255, 0, 1))
    image = np.clip(np.round(encoded), 0, 255).astype(np.uint8)
    if scene.jpeg is not None:
        packed = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, scene.jpeg])[1]
        image = np.ascontiguousarray(np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))[..., ::-1])
    return image


def background(seed: int, size: int) -> np.ndarray:
    """Render a background out of focus [size, size, 3], float32 linear: gradients, blobs of light, stripes, boxes."""
    draw = rng(seed, "background")
    y, x = np.mgrid[:_BACKGROUND_PX, :_BACKGROUND_PX].astype(np.float32) / _BACKGROUND_PX
    colours = [_colour(draw) for _ in range(4)]
    way = draw.uniform(0, 2 * np.pi)
    ramp = np.clip(0.5 + 0.7 * ((x - 0.5) * np.cos(way) + (y - 0.5) * np.sin(way)), 0, 1)[..., None]
    picture = colours[0] * (1 - ramp) + colours[1] * ramp * draw.uniform(0.4, 1.0)
    kind = draw.choice(["plain", "blobs", "stripes", "room", "leaves"], p=[0.22, 0.22, 0.12, 0.26, 0.18])
    focus = draw.uniform(1.0, 7.0)
    if kind == "blobs":
        for _ in range(draw.integers(6, 26)):
            centre = tuple(int(v) for v in draw.uniform(0, _BACKGROUND_PX * 16, 2))
            radius = int(16 * draw.uniform(3, 16))
            glow = picture.copy()
            cv2.circle(glow, centre, radius, tuple(float(v) for v in _colour(draw) * 2.0), -1, cv2.LINE_AA, 4)
            picture += draw.uniform(0.2, 0.8) * (glow - picture)
        focus = draw.uniform(0.8, 3.5)
    elif kind == "stripes":
        tilt = draw.choice([0.0, np.pi / 2, draw.uniform(0, np.pi)])
        wave = np.sin((x * np.cos(tilt) + y * np.sin(tilt)) * draw.uniform(12, 70) + draw.uniform(0, 6))
        picture += (0.5 + 0.5 * np.clip(3 * wave, -1, 1))[..., None] * (colours[2] - picture) * draw.uniform(0.2, 0.9)
    elif kind == "room":
        for _ in range(draw.integers(4, 16)):
            low = draw.uniform(-0.2, 1.0, 2) * _BACKGROUND_PX
            high = low + draw.uniform(0.08, 0.7, 2) * _BACKGROUND_PX
            corners = np.asarray([low, (high[0], low[1]), high, (low[0], high[1])])
            corners += draw.normal(0, 2.0, corners.shape)
            cv2.fillConvexPoly(picture, np.round(corners).astype(np.int32), tuple(float(v) for v in _colour(draw)))
    elif kind == "leaves":
        for scale in (5, 12, 30):
            coarse = draw.standard_normal((scale, scale)).astype(np.float32)
            field = cv2.resize(coarse, (_BACKGROUND_PX, _BACKGROUND_PX), interpolation=cv2.INTER_CUBIC)
            picture += np.clip(field, 0, 1)[..., None] * (colours[2] - picture) * 0.6
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), focus, borderType=cv2.BORDER_REPLICATE)
    large = cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC)
    fade = 1.0 - draw.uniform(0, 0.5) * ((np.mgrid[:size, :size] / size - 0.5) ** 2).sum(0)
    return np.clip(large * fade[..., None], 0.002, 2.0).astype(np.float32)


def _colour(draw: np.random.Generator) -> np.ndarray:
    grey, loud = draw.random() ** 1.5, draw.random() ** 2.5
    return ((1 - loud) * grey + loud * draw.random(3) ** 1.5).astype(np.float32) * 0.8 + 0.01
