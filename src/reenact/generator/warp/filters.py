# SPDX-License-Identifier: Apache-2.0
"""Picture operations shared by the pieces of the generator. Floats in, float32 out; H x W or H x W x C."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.head.model import Float
from reenact.head.smoothstep import smoothstep

Picture = NDArray[Any]


def ramp(low: float, high: float, value: float) -> float:
    """`smoothstep` of one number."""
    return float(smoothstep(low, high, np.asarray(value)))


def blurred(picture: Picture, sigma_px: float) -> Float:
    """Gaussian blur."""
    return np.asarray(cv2.GaussianBlur(_float(picture), (0, 0), max(sigma_px, 0.3)), np.float32)


def eroded(picture: Picture, radius: int) -> Float:
    """Minimum over a square of 2 radius + 1 pixels."""
    return np.asarray(cv2.erode(_float(picture), _square(radius)), np.float32)


def dilated(picture: Picture, radius: int) -> Float:
    """Maximum over a square of 2 radius + 1 pixels."""
    return np.asarray(cv2.dilate(_float(picture), _square(radius)), np.float32)


def lowered(picture: Picture, by_px: float) -> Float:
    """Moved down by a fraction of pixels or many, 0 above."""
    down = np.asarray([[1.0, 0.0, 0.0], [0.0, 1.0, by_px]], np.float32)
    return np.asarray(cv2.warpAffine(_float(picture), down, picture.shape[1::-1]), np.float32)


def resized(picture: Picture, width: int, height: int) -> Float:
    """Averaged to a smaller size, interpolated to a larger one."""
    how = cv2.INTER_AREA if width < picture.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(_float(picture), (width, height), interpolation=how), np.float32)


def distance_to_mask(mask: NDArray[np.bool_]) -> Float:
    """Pixels to the nearest True, 0 on it."""
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def pixel_grid(size: int) -> Float:
    """[size, size, 2] x, y of every pixel for `remap`, where pixel centres are whole numbers."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    return np.stack([x, y], axis=-1)


def remap(picture: Picture, where: Float) -> Picture:
    """Sample a picture at x, y [h, w, 2] of `pixel_grid`'s kind, bicubic, clamped at its border. Keeps the type."""
    places = where.astype(np.float32, copy=False)
    x, y = places[..., 0], places[..., 1]
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))


def remap_mask(mask: Float, where: Float) -> Float:
    """The same, bilinear, for what is 0 beyond its border."""
    places = where.astype(np.float32, copy=False)
    return np.asarray(cv2.remap(mask, places[..., 0], places[..., 1], cv2.INTER_LINEAR), np.float32)


def grown(values: Float, known: NDArray[np.bool_], radius: int) -> Float:
    """Values [h, w, C] continued about `radius` pixels beyond where they are known, 0 farther off."""
    weight = known.astype(np.float32)
    size = (2 * radius + 1, 2 * radius + 1)
    total = np.asarray(cv2.blur(weight, size))
    rim = ~known & (total > 1e-6)
    spread = np.asarray(cv2.blur(values * weight[..., None], size)).reshape(values.shape)
    out = np.where(known[..., None], values, np.float32(0.0))
    out[rim] = spread[rim] / total[rim][:, None]
    return out


def feather(shape: tuple[int, int], width: int) -> Float:
    """[h, w] 0 on the rim, 1 from `width` pixels inwards."""
    ramps = [np.clip(np.minimum(np.arange(n), np.arange(n)[::-1]) / max(width, 1), 0.0, 1.0) for n in shape]
    return np.minimum.outer(*ramps).astype(np.float32)


def _float(picture: Picture) -> Float:
    return np.ascontiguousarray(picture, np.float32)


def _square(radius: int) -> NDArray[np.uint8]:
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
