# SPDX-License-Identifier: Apache-2.0
"""Spectacles: rims as tubes around the eyes, a bridge, and temples back to the ears."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from reenact.head.model import Float, Int
from reenact.head.open import open_head

from .noise import rng
from .people import SyntheticPerson

_AROUND, _RIM, _STRAIGHT = 6, 40, 10
_TUBES = ((_RIM, True), (_RIM, True), (_STRAIGHT, False), (_STRAIGHT, False), (_STRAIGHT, False))
GLASSES_VERTICES = sum(count * _AROUND for count, _ in _TUBES)  # of a pair


@lru_cache(maxsize=1)
def glasses_faces() -> Int:
    """Make the faces [T, 3] of two rims (closed), bridge and two temples; counter-clockwise from outside."""
    out, start = [], 0
    for count, closed in _TUBES:
        for i in range(count if closed else count - 1):
            for k in range(_AROUND):
                a, b = i * _AROUND + k, i * _AROUND + (k + 1) % _AROUND
                c, d = ((i + 1) % count) * _AROUND + k, ((i + 1) % count) * _AROUND + (k + 1) % _AROUND
                out += [(start + a, start + c, start + b), (start + b, start + c, start + d)]
        start += count * _AROUND
    return np.asarray(out, np.int32)


def glasses(person: SyntheticPerson) -> Float:
    """Make glasses [GLASSES_VERTICES, 3], canonical, metres, resting on this person's nose."""
    draw = rng(person.seed, "glasses")
    marks = open_head().topology.at_landmarks(person.head.neutral).numpy()
    eyes = person.head.eyes.numpy()
    span = float(eyes[0, 0] - eyes[1, 0])
    half_w, half_h = span * draw.uniform(0.36, 0.42), span * draw.uniform(0.24, 0.34)
    power = draw.uniform(2.0, 3.6)
    thick = draw.uniform(0.0009, 0.0022) * person.size
    front = float(max(marks[[168, 6, 337, 108], 2].max() - 0.004, marks[[282, 52, 159, 386], 2].max()) + 0.005)
    t = np.linspace(0, 2 * np.pi, _RIM, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    curves = []
    for eye, sign in ((0, 1.0), (1, -1.0)):
        x = eyes[eye, 0] + sign * 0.04 * span + half_w * np.sign(c) * np.abs(c) ** (2 / power)
        y = eyes[eye, 1] - 0.07 * span + half_h * np.sign(s) * np.abs(s) ** (2 / power)
        z = front - 0.10 * np.abs(x) ** 2 / 0.03 * (1.0 / person.size)  # wraps a little around the face
        curves.append(np.stack([x, y, z], 1))
    inner = float(eyes[0, 0] + 0.04 * span - half_w)
    u = np.linspace(-1, 1, _STRAIGHT)
    curves.append(np.stack([u * inner, 0.04 * span * (1.2 - u**2), np.full(_STRAIGHT, front)], 1))
    outer = curves[0][0]
    ear = marks[[454, 234]]
    back = np.linspace(0, 1, _STRAIGHT)[:, None]
    for sign, target in ((1.0, ear[0]), (-1.0, ear[1])):
        hinge = outer * [sign, 1, 1] + [0, 0.3 * half_h, 0]
        end = np.asarray([target[0] + sign * 0.010 * person.size, hinge[1] + 0.004, target[2] - 0.035 * person.size])
        curves.append(hinge + back * (end - hinge))
    return np.concatenate([_tube(curve, thick) for curve in curves]).astype(np.float32)


def _tube(curve: Float, radius: float) -> Float:
    """Make a tube [P * _AROUND, 3] around a curve [P, 3]."""
    ahead = np.gradient(curve, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True) + 1e-12
    up = np.where(np.abs(ahead[:, 2:]) > 0.8, [[0.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]])
    side = np.cross(ahead, up)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    over = np.cross(side, ahead)
    k = np.arange(_AROUND) / _AROUND * 2 * np.pi
    ring = np.cos(k)[None, :, None] * side[:, None] + np.sin(k)[None, :, None] * over[:, None]
    return (curve[:, None] + radius * ring).reshape(-1, 3)
