# SPDX-License-Identifier: Apache-2.0
"""Single lashes on the bands that the head has for them: a small picture with transparency, and where it lies."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from reenact.head.model import Float
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape

_ALONG, _UP = 256, 64  # px
_HAIRS, _SEED = 46, 4
_COLOUR = (30, 23, 20)
_ROOT, _TIP = 0.0105, 0.0025  # half the width of a hair, of the band's length
_CURVE = 0.05  # how far a tip leans outwards
_DENSEST = 0.95


def lash_places(head: HeadShape) -> Float:
    """[V, 2] place in the picture: u along the band from the nose outwards, v 0 at the root and 1 at the tip.

    0 on other vertices. Roots are nearest to the eyeball.
    """
    neutral = head.neutral.numpy()
    out = np.zeros((len(neutral), 2), np.float32)
    rows = head.topology.region_vertices(*region_ids("eyelashes")).numpy()
    for side, centre in enumerate(head.eyes.numpy()):
        own = rows[(neutral[rows, 0] > 0) == (side == 0)]
        upper = neutral[own, 1] > neutral[own, 1].mean()
        for band in (own[upper], own[~upper]):
            across = np.abs(neutral[band, 0])
            far = np.linalg.norm(neutral[band] - centre, axis=1)
            for column, values in enumerate((across, far)):
                out[band, column] = (values - values.min()) / np.ptp(values)
    return out


def lash_picture() -> bytes:
    """A PNG with transparency, [64, 256]; its top row is v = 1, the tips."""
    draw = np.random.default_rng(_SEED)
    u = (np.arange(_ALONG) + 0.5)[None] / _ALONG
    v = 1.0 - (np.arange(_UP) + 0.5)[:, None] / _UP
    clear = np.ones((_UP, _ALONG))
    for root in (np.arange(_HAIRS) + draw.uniform(0.2, 0.8, _HAIRS)) / _HAIRS:
        length = draw.uniform(0.65, 1.0) * (0.55 + 0.45 * np.sin(np.pi * root))
        lean = _CURVE * (root - 0.35 + draw.normal(0.0, 0.35))
        middle = root + lean * v**2
        half = np.maximum(_ROOT + (_TIP - _ROOT) * v / length, 1e-4)
        hair = np.clip(1.5 - np.abs(u - middle) / half, 0.0, 1.0) * np.clip((length - v) * 12.0, 0.0, 1.0)
        clear *= 1.0 - _DENSEST * hair
    picture = np.empty((_UP, _ALONG, 4), np.uint8)
    picture[..., :3] = _COLOUR
    picture[..., 3] = np.round(255.0 * (1.0 - clear))
    packed = io.BytesIO()
    Image.fromarray(picture).save(packed, format="PNG")
    return packed.getvalue()
