# SPDX-License-Identifier: Apache-2.0
"""Eyes, teeth, tongue and cavity of a texture: painted, for pictures show them too small and too seldom.

An eyeball is told by what the pictures show of its iris and white; a projected one keeps a lid's shadow and a lamp's
reflection in the wrong place as soon as it turns.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.head.levels import refine
from reenact.head.model import Float
from reenact.head.regions import EYEBALL, region_ids
from reenact.head.shape import HeadShape
from reenact.head.smoothstep import smoothstep
from reenact.head.subject import Subject
from reenact.head.teeth import LOWER_WIDTHS_M, UPPER_WIDTHS_M, paint_teeth, tooth_places
from reenact.perception.dense.network import CLASSES

from .texel_samples import TexelSamples
from .texels import Texels

_IRIS_RAD = 0.455  # radius of an iris, seen from the middle of the ball: 5.9 mm of 13
_PUPIL = 0.36  # of it
_BROWN, _WHITE = np.asarray([96.0, 66.0, 46.0]), np.asarray([226.0, 219.0, 212.0])
_TONGUE, _GUM, _DEEP = np.asarray([176.0, 98.0, 92.0]), np.asarray([168.0, 88.0, 84.0]), np.asarray([40.0, 14.0, 14.0])
_ENAMEL, _LASH, _SOCKET = (
    np.asarray([228.0, 218.0, 200.0]),
    np.asarray([34.0, 26.0, 22.0]),
    np.asarray([150.0, 92.0, 84.0]),
)
_DEEP_M, _APART_M = 0.045, 0.064  # of an adult: behind the front teeth all is dark; distance of the eyes
_TEXTURE_M = 0.6  # of teeth, that a texture's side is long
_LEAST = 40  # texels from which on an eye's colours are taken from the pictures


def paint_interior(colour: Float, subject: Subject, texels: Texels, samples: list[TexelSamples]) -> None:
    """Paint what is not the outside of the head into [N, 3] colours, in place."""
    head = subject.head

    def carried(values: Tensor) -> Float:
        return texels.carry(refine(subject.levels, values, 2).numpy())

    place = carried(head.neutral)
    for name, paint in (("eyelashes", _LASH), ("eye_socket", _SOCKET)):
        colour[_rows(texels, name)] = paint
    if len(head.topology.region_vertices(*region_ids("teeth_upper"))):  # SMPL-X and FLAME have none
        _paint_mouth(colour, place, carried(torch.from_numpy(tooth_places(head))), head, texels)
    ball = _rows(texels, *EYEBALL)
    ray = place[ball] - np.where(place[ball, :1] > 0, *head.eyes.numpy())
    angle = np.arccos(np.clip(ray[:, 2] / np.linalg.norm(ray, axis=1), -1.0, 1.0))
    colour[ball] = _eye(angle, *_eye_colours(angle, ball, samples))


def _paint_mouth(colour: Float, place: Float, tooth: Float, head: HeadShape, texels: Texels) -> None:
    """place: [N, 3] canonical. tooth: [N, 2] of teeth.tooth_places."""
    px_per_m = texels.size / _TEXTURE_M
    for name, widths in (("teeth_upper", UPPER_WIDTHS_M), ("teeth_lower", LOWER_WIDTHS_M)):
        rows = _rows(texels, name)
        colour[rows] = paint_teeth(tooth[rows], widths, _ENAMEL, _GUM, _DEEP, px_per_m)
    front = place[_rows(texels, "teeth_upper", "teeth_lower"), 2].max()
    size = float(np.ptp(head.eyes.numpy()[:, 0])) / _APART_M
    for name, flesh in (("mouth_cavity", _GUM), ("tongue", _TONGUE)):
        rows = _rows(texels, name)
        shade = smoothstep(0.1, 1.0, (front - place[rows, 2]) / (_DEEP_M * size))[:, None]
        colour[rows] = flesh + shade * (_DEEP - flesh)


def _rows(texels: Texels, *names: str) -> NDArray[np.int64]:
    return np.flatnonzero(np.isin(texels.region, region_ids(*names)))


def _eye_colours(angle: Float, ball: NDArray[np.int64], samples: list[TexelSamples]) -> tuple[Float, Float]:
    """Iris and white as the pictures show them, of both eyes alike; plain ones where they do not."""
    seen = [
        (sample.colour[ball], (sample.shown[ball] == CLASSES.index("eyes")) & (sample.quality[ball] > 0.15))
        for sample in samples
    ]
    found = []
    for low, high, rank, plain in ((0.5, 0.85, 0.5, _BROWN), (1.25, 2.2, 0.75, _WHITE)):
        ring = (angle > low * _IRIS_RAD) & (angle < high * _IRIS_RAD)
        parts = [colours[ring & good] for colours, good in seen]
        every = np.concatenate(parts) if parts else np.zeros((0, 3))
        found.append(np.quantile(every, rank, axis=0) if len(every) >= _LEAST else plain)
    iris, white = found
    # A white is white: what it seems in the shade of lids is half of it the shade.
    grey = max(float(white.mean()), 150.0)
    white = 0.5 * (0.5 * white / white.mean() * grey + 0.5 * grey) + 0.5 * _WHITE
    return iris, white


def _eye(angle: Float, iris: Float, white: Float) -> Float:
    """[N, 3] colours at angles from the line of sight, radians."""
    place = (angle / _IRIS_RAD)[:, None]
    ring = iris * (1.15 - 0.25 * np.abs(place - 0.6)) * (1.0 - 0.6 * smoothstep(0.80, 1.0, place))
    ring = ring * smoothstep(_PUPIL - 0.05, _PUPIL + 0.05, place) + 8.0
    ball = white * (1.0 - 0.20 * smoothstep(1.6, 3.2, place))
    edge = smoothstep(0.94, 1.08, place)
    return np.asarray(ring + edge * (ball - ring), np.float32)
