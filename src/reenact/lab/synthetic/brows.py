# SPDX-License-Identifier: Apache-2.0
"""Eyebrows, hair by hair, on the chart."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

from .chart import HEIGHT, SKIN_WIDTH, chart
from .looks import Looks
from .noise import rng
from .people import SyntheticPerson

_UPPER = {"right": (107, 66, 105, 63, 70), "left": (336, 296, 334, 293, 300)}  # inner to outer end
_LOWER = {"right": (55, 65, 52, 53, 46), "left": (285, 295, 282, 283, 276)}
_SCALE = 3  # the strands are drawn larger and shrunk: they are thinner than a pixel
_HAIRS = 340


def brow_cover(person: SyntheticPerson, looks: Looks) -> Tensor:
    """[HEIGHT, SKIN_WIDTH] 0..1: how much of the skin the hairs hide."""
    draw = rng(person.seed, "brows")
    marks = chart().landmarks
    canvas = np.zeros((HEIGHT * _SCALE, SKIN_WIDTH * _SCALE), np.float32)
    thick = draw.uniform(0.6, 1.15) * (0.8 if person.female else 1.05)
    for side in ("right", "left"):
        upper, lower = marks[list(_UPPER[side])], marks[list(_LOWER[side])]
        middle = 0.5 * (upper + lower)
        outward = np.sign(middle[-1, 0] - middle[0, 0])
        at = np.linspace(0, 1, 5)
        for _ in range(int(_HAIRS * looks.brow_density)):
            t = draw.beta(1.05, 1.25)
            across = draw.uniform(-0.5, 0.5) * thick * np.interp(t, (0, 0.1, 0.6, 1), (0.7, 1.0, 0.85, 0.25))
            low, high = (np.asarray([np.interp(t, at, edge[:, i]) for i in (0, 1)]) for edge in (lower, upper))
            root = 0.5 * (low + high) + across * (low - high)
            # Upright at the nose, along the brow farther out, and down from above at the tail.
            lean = np.interp(t, (0, 0.25, 0.7, 1), (1.15, 0.55, 0.1, -0.35)) + draw.normal(0, 0.16) - 0.5 * across
            length = draw.uniform(5.0, 9.5) * np.interp(t, (0, 0.3, 1), (0.8, 1.0, 0.7))
            tip = root + length * np.asarray([outward * np.cos(lean), -np.sin(lean)])
            bend = 0.5 * (root + tip) + [0.0, -0.5]
            strand = np.round(np.stack([root, bend, tip]) * _SCALE * 16).astype(np.int32)
            cv2.polylines(canvas, [strand], False, (float(draw.uniform(0.55, 1.0)),), 1, cv2.LINE_AA, 4)
    small = cv2.resize(canvas, (SKIN_WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    haze = cv2.GaussianBlur(small, (0, 0), 2.2)  # the hairs behind and the shade beneath
    cover = np.clip((1.05 * small + 0.55 * haze) * 1.25, 0.0, 0.95) * (0.45 + 0.55 * looks.brow_density)
    return torch.from_numpy(cover.astype(np.float32))
