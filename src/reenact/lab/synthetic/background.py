# SPDX-License-Identifier: Apache-2.0
"""Backgrounds out of focus: gradients, blobs of light, stripes, rooms of boxes. Linear light."""

from __future__ import annotations

import cv2
import numpy as np

from .noise import rng

_SIDE = 160  # px they are painted at: they are blurred anyway


def background(seed: int, size: int) -> np.ndarray:
    """[size, size, 3] float32 linear."""
    draw = rng(seed, "background")
    y, x = np.mgrid[:_SIDE, :_SIDE].astype(np.float32) / _SIDE
    colours = [_colour(draw) for _ in range(4)]
    way = draw.uniform(0, 2 * np.pi)
    ramp = np.clip(0.5 + 0.7 * ((x - 0.5) * np.cos(way) + (y - 0.5) * np.sin(way)), 0, 1)[..., None]
    picture = colours[0] * (1 - ramp) + colours[1] * ramp * draw.uniform(0.4, 1.0)
    kind = draw.choice(["plain", "blobs", "stripes", "room", "leaves"], p=[0.22, 0.22, 0.12, 0.26, 0.18])
    focus = draw.uniform(1.0, 7.0)
    if kind == "blobs":
        for _ in range(draw.integers(6, 26)):
            centre = tuple(int(v) for v in draw.uniform(0, _SIDE * 16, 2))
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
            low = draw.uniform(-0.2, 1.0, 2) * _SIDE
            high = low + draw.uniform(0.08, 0.7, 2) * _SIDE
            corners = np.asarray([low, (high[0], low[1]), high, (low[0], high[1])])
            corners += draw.normal(0, 2.0, corners.shape)
            cv2.fillConvexPoly(picture, np.round(corners).astype(np.int32), tuple(float(v) for v in _colour(draw)))
    elif kind == "leaves":
        for scale in (5, 12, 30):
            coarse = draw.standard_normal((scale, scale)).astype(np.float32)
            field = cv2.resize(coarse, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
            picture += np.clip(field, 0, 1)[..., None] * (colours[2] - picture) * 0.6
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), focus, borderType=cv2.BORDER_REPLICATE)
    large = cv2.resize(picture, (size, size), interpolation=cv2.INTER_CUBIC)
    fade = 1.0 - draw.uniform(0, 0.5) * ((np.mgrid[:size, :size] / size - 0.5) ** 2).sum(0)
    return np.clip(large * fade[..., None], 0.002, 2.0).astype(np.float32)


def _colour(draw: np.random.Generator) -> np.ndarray:
    grey, loud = draw.random() ** 1.5, draw.random() ** 2.5
    return ((1 - loud) * grey + loud * draw.random(3) ** 1.5).astype(np.float32) * 0.8 + 0.01
