# SPDX-License-Identifier: Apache-2.0
"""A map of any resolution, cut to a crop: averaged over what is known, and known nowhere else."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reenact.media.crop import SquareCrop

from .maps import Float

Covers = tuple[float, float, float, float]  # left, top, width, height of what a map shows, px of the picture
_KNOWN = 0.5
"""Share of a crop pixel's surroundings that must be known for it to be."""


def cut(values: Float, known: NDArray[np.bool_], covers: Covers, crop: SquareCrop) -> tuple[Float, NDArray[np.bool_]]:
    """Resample a map to a crop.

    Args:
        values: [H, W, C], of the rectangle `covers`; may be anything where not known.
        known: [H, W].
        covers: what the map's outer edges are in the picture.
        crop: of the same picture; may reach beyond what is covered.

    Returns:
        [S, S, C] means over what is known, 0 elsewhere; and [S, S], where that is.
    """
    weight = known.astype(np.float32)
    weighted = np.where(known[..., None], values, np.float32(0.0))
    box, padding = _box(known.shape[0], known.shape[1], covers, crop)
    total = _resize(np.pad(weight, padding), box, crop.output_px)
    channels = [_resize(np.pad(weighted[..., c], padding), box, crop.output_px) for c in range(values.shape[2])]
    inside = total > _KNOWN
    mean = np.stack(channels, axis=2) / np.where(inside, total, 1.0)[..., None]
    return np.where(inside[..., None], mean, 0.0).astype(np.float32), inside


def cut_nearest(values: NDArray[np.uint8], covers: Covers, crop: SquareCrop, outside: int) -> NDArray[np.uint8]:
    """[H, W] labels -> [S, S]: at the middle of each crop pixel, `outside` beyond what is covered."""
    height, width = values.shape
    left, top, wide, high = covers
    middle = np.arange(crop.output_px) + 0.5
    x, y = crop.to_image(np.stack([middle, middle], axis=1)).T
    column = np.floor((x - left) / wide * width).astype(int)
    row = np.floor((y - top) / high * height).astype(int)
    inside = ((row >= 0) & (row < height))[:, None] & ((column >= 0) & (column < width))[None]
    found = values[np.clip(row, 0, height - 1)[:, None], np.clip(column, 0, width - 1)[None]]
    return np.where(inside, found, np.uint8(outside))


Box = tuple[float, float, float, float]


def _box(height: int, width: int, covers: Covers, crop: SquareCrop) -> tuple[Box, tuple[tuple[int, int], ...]]:
    """The crop in pixels of the padded map, and the padding (top, bottom), (left, right) that it needs."""
    left, top, wide, high = covers
    x0, x1 = ((x - left) / wide * width for x in (crop.x0, crop.x0 + crop.size))
    y0, y1 = ((y - top) / high * height for y in (crop.y0, crop.y0 + crop.size))
    before_x, after_x = max(0, math.ceil(-x0)), max(0, math.ceil(x1 - width))
    before_y, after_y = max(0, math.ceil(-y0)), max(0, math.ceil(y1 - height))
    box = (x0 + before_x, y0 + before_y, x1 + before_x, y1 + before_y)
    # The sums above may end a rounding error beyond the map, which Pillow refuses.
    limits = (width + before_x + after_x, height + before_y + after_y) * 2
    low_high = tuple(float(min(max(v, 0.0), limit)) for v, limit in zip(box, limits, strict=True))
    return (low_high[0], low_high[1], low_high[2], low_high[3]), ((before_y, after_y), (before_x, after_x))


def _resize(plane: Float, box: Box, size: int) -> Float:
    """Pillow's filter widens when it shrinks, so that nothing aliases."""
    return np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR, box=box))
