# SPDX-License-Identifier: Apache-2.0
"""Lip skin that the photo hides: past the line where the lips meet they are wet, darker, and in the mouth's shade."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from reenact.head.model import Float
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape

from .filters import blur, dilate, extrapolate, smoothstep
from .light import luma
from .moment import Moment
from .skin import Skin
from .window import Drawing

_TURN_M = (-0.0010, 0.0035)  # depth behind that line over which the red of the lips gives way to wet skin
_SHADED = 0.45  # brightness left in the depth
_PALE, _BRIGHT = 0.75, 1.05  # colourfulness and brightness of teeth against those of the lips
_WET = 0.12  # of white: strongest reflection


class InnerLips:
    """Colours of hidden lip skin. V vertices of the whole head."""

    def __init__(self, head: HeadShape, skin: Skin, flesh: Float) -> None:
        """flesh: [3] the mouth's lining in the photo's light, 0 to 255."""
        top = head.topology
        self._lips = top.region_vertices(*region_ids("lips"))
        size = float(np.ptp(head.eyes.numpy()[:, 0])) / 0.064
        # In front of the line at the same distance from the middle is the red of the lips, behind it their inside.
        rows = torch.from_numpy(self._lips.astype(np.int64))
        behind = head.inner_lips.depth_behind_lips(head.neutral[None], rows)[0].numpy()
        self._depth = smoothstep(*_TURN_M, behind / size)[:, None]
        self._light = skin.light
        self._fill = skin.fill
        self._white = skin.light.skin
        red = skin.fill[self._lips]
        # Paint on the lips ends at that line, and nothing in a mouth is as bright as skin outside.
        self._flesh = 0.5 * red + 0.5 * np.minimum(flesh, flesh * (luma(red)[:, None] / max(float(luma(flesh)), 1.0)))

    def fill(self, now: Moment) -> Float:
        """[V, 3] colours, 0 to 255."""
        normals = now.normals[self._lips]
        shade = self._light.shade(normals)[:, None] * (1.0 - (1.0 - _SHADED) * self._depth)
        wet = _WET * self._light.gloss(normals)[:, None] * self._white
        out = self._fill.copy()
        out[self._lips] += self._depth * (self._flesh * shade + wet - out[self._lips])
        return out


def without_teeth(
    photo: NDArray[np.uint8], drawing: Drawing, edge: NDArray[np.bool_], fill: Float, lips: Float
) -> NDArray[np.uint8]:
    """The photo [P, P, 3] with what is teeth on the mesh's lips painted over: the fitted edge is a pixel or two off.

    drawing: the mouth in the photo. edge: [h, w] near the line where lips meet. fill: [V, 3] colours of lips; lips: [3]
    their mean. Teeth are brighter and much paler.
    """
    picture = photo[drawing.box.slices].astype(np.float32)
    pale = picture.max(axis=-1) - picture.min(axis=-1) < _PALE * max(float(lips.max() - lips.min()), 1.0)
    bright = luma(picture) > _BRIGHT * luma(lips)
    on_lips = drawing.mask(*region_ids("lips"))
    teeth = edge & on_lips & pale & bright
    if not teeth.any():
        return photo
    share = blur(dilate(teeth, 1), 0.6) * drawing.coverage(*region_ids("lips"))
    out = photo.copy()
    colour = extrapolate(drawing.carry(fill), on_lips, 2)
    out[drawing.box.slices] = np.rint(picture + share[..., None] * (colour - picture)).clip(0, 255).astype(np.uint8)
    return out
