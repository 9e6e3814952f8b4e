# SPDX-License-Identifier: Apache-2.0
"""Image filters of the warp. Images are [H, W] or [H, W, C]; results are float32 unless it is said otherwise."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.head.model import Float
from reenact.head.smoothstep import smoothstep

Image = NDArray[Any]
_SHARPEST_PX = 0.3  # standard deviation below which OpenCV's kernel is a single pixel


def smoothstep_of(low: float, high: float, value: float) -> float:
    """Return `smoothstep` of one number."""
    return float(smoothstep(low, high, np.asarray(value)))


def blur(image: Image, sigma_px: float) -> Float:
    """Blur with a Gaussian of standard deviation `sigma_px`."""
    return np.asarray(cv2.GaussianBlur(_float(image), (0, 0), max(sigma_px, _SHARPEST_PX)), np.float32)


def erode(image: Image, radius: int) -> Float:
    """Take the minimum over a square of 2 radius + 1 pixels."""
    return np.asarray(cv2.erode(_float(image), _square(radius)), np.float32)


def dilate(image: Image, radius: int) -> Float:
    """Take the maximum over a square of 2 radius + 1 pixels."""
    return np.asarray(cv2.dilate(_float(image), _square(radius)), np.float32)


def shift_down(image: Image, distance_px: float) -> Float:
    """Move an image down by any distance, with 0 above it."""
    matrix = np.asarray([[1.0, 0.0, 0.0], [0.0, 1.0, distance_px]], np.float32)
    return np.asarray(cv2.warpAffine(_float(image), matrix, image.shape[1::-1]), np.float32)


def resize(image: Image, width: int, height: int) -> Float:
    """Average to a smaller size, or interpolate linearly to a larger one."""
    method = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(_float(image), (width, height), interpolation=method), np.float32)


def pixel_grid(size: int) -> Float:
    """Return x, y of every pixel [size, size, 2] for `remap`, where pixel centres are whole numbers."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32)
    return np.stack([x, y], axis=-1)


def remap(image: Image, places: Float) -> Image:
    """Sample an image bicubically and repeat its border.

    Args:
        image: [H, W, C] of any type.
        places: [h, w, 2] x, y in the coordinates of `pixel_grid`.

    Returns:
        [h, w, C] of the image's type.
    """
    places = places.astype(np.float32, copy=False)
    x, y = places[..., 0], places[..., 1]
    return np.asarray(cv2.remap(image, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))


def remap_mask(mask: Float, places: Float) -> Float:
    """Sample as `remap` does, but bilinearly and with 0 beyond the border."""
    places = places.astype(np.float32, copy=False)
    return np.asarray(cv2.remap(mask, places[..., 0], places[..., 1], cv2.INTER_LINEAR), np.float32)


def nearest_pixels(image: Image, points_px: Float) -> Float:
    """Read the nearest pixels of an image.

    Args:
        image: [H, W, C].
        points_px: [N, 2 or more] x, y; the centre of the first pixel is at 0.5, 0.5.

    Returns:
        [N, C].
    """
    column = np.clip(np.floor(points_px[:, 0]), 0, image.shape[1] - 1).astype(int)
    row = np.clip(np.floor(points_px[:, 1]), 0, image.shape[0] - 1).astype(int)
    return image[row, column].astype(np.float32)


def extrapolate(values: Float, mask: NDArray[np.bool_], radius: int) -> Float:
    """Continue values [h, w, C] about `radius` pixels beyond a mask [h, w] by averages of it; 0 farther away."""
    weight = mask.astype(np.float32)
    size = (2 * radius + 1, 2 * radius + 1)
    total = np.asarray(cv2.blur(weight, size))
    rim = ~mask & (total > 1e-6)
    sums = np.asarray(cv2.blur(values * weight[..., None], size)).reshape(values.shape)
    out = np.where(mask[..., None], values, np.float32(0.0))
    out[rim] = sums[rim] / total[rim][:, None]
    return out


def feather(shape: tuple[int, int], width: int) -> Float:
    """Return weights [h, w] that rise from 0 on the border to 1 `width` pixels inside."""
    ramps = [np.clip(np.minimum(np.arange(n), np.arange(n)[::-1]) / max(width, 1), 0.0, 1.0) for n in shape]
    return np.minimum.outer(*ramps).astype(np.float32)


def _float(image: Image) -> Float:
    return np.ascontiguousarray(image, np.float32)


def _square(radius: int) -> NDArray[np.uint8]:
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
