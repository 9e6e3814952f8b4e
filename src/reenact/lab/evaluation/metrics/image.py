# SPDX-License-Identifier: Apache-2.0
"""L1, PSNR and SSIM against the truth, on the whole frame and on each mask; equal to torchmetrics' on the frame."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ..about import About, Better, Value, over_frames
from ..masks import NAMES, Mask
from ..observe import Image, ObservedFrame

Map = NDArray[np.float32]

PSNR_CAP_DB: Final = 60.0
"""What identical pictures get, and the most any frame can: an infinite first frame (the photo itself) would otherwise
lift a clip's mean at will.  One grey level of error everywhere is 48 dB."""

_KINDS: Final[dict[str, tuple[Better, str]]] = {
    "l1": ("lower", "mean absolute difference of sRGB values in 0..1, mean over frames"),
    "psnr": ("higher", f"dB, peak 1, at most {PSNR_CAP_DB:g} a frame, mean over frames"),
    "ssim": ("higher", "-1..1, Gaussian window 11 px, sigma 1.5, mean over channels, pixels of the mask and frames"),
}


class ImageErrors:
    """L1, PSNR and SSIM of every moment that has a truth.  Frames without a face have no face, mouth or eyes."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], list[float]] = {(kind, mask): [] for mask in NAMES for kind in _KINDS}

    def update(self, moment: ObservedFrame) -> None:
        if moment.truth is None:
            raise ValueError("picture errors need a truth")
        absolute, squared, similar = error_maps(moment.output.image, moment.truth.image)
        for name in NAMES:
            mask = moment.masks.get(name)
            found = (np.nan,) * 3
            if mask is not None:
                found = _mean(absolute, mask), psnr(_mean(squared, mask)), _mean(similar, mask)
            for kind, number in zip(_KINDS, found, strict=True):
                self._rows[kind, name].append(number)

    def values(self) -> list[Value]:
        by = "reenact, equal to torchmetrics on the frame"
        return [
            over_frames(About(kind, mask, *_KINDS[kind], by), series) for (kind, mask), series in self._rows.items()
        ]


def error_maps(output: Image, truth: Image) -> tuple[Map, Map, Map]:
    """Compute absolute and squared difference and SSIM of uint8 RGB images [H, W, 3], each [H, W], means over channels.

    Raises ValueError for different sizes.
    """
    if output.shape != truth.shape:
        raise ValueError(f"an output of {list(output.shape)} cannot be compared with a truth of {list(truth.shape)}")
    a, b = (np.asarray(image.astype(np.float32) / np.float32(255), np.float32) for image in (output, truth))
    difference = a - b
    mean = np.full((3, 1), 1 / 3, np.float32)
    absolute = np.abs(difference) @ mean
    squared = np.asarray((difference * difference) @ mean, np.float32)
    return absolute[..., 0], squared[..., 0], (_ssim(a, b) @ mean)[..., 0]


def psnr(mean_squared_error: float) -> float:
    """Convert a mean squared error of values in 0..1 to dB, capped at PSNR_CAP_DB."""
    if not mean_squared_error > 10 ** (-PSNR_CAP_DB / 10):
        return PSNR_CAP_DB
    return float(-10 * np.log10(mean_squared_error))


def _mean(of: Map, mask: Mask) -> float:
    return float(of[mask].mean(dtype=np.float64))


def _ssim(a: Map, b: Map) -> Map:
    """Compute the structural similarity (Wang et al. 2004) of images [H, W, 3], 0..1, at each pixel and channel."""
    window, sigma, constants = 11, 1.5, (0.01**2, 0.03**2)  # as torchmetrics' default

    def blurred(x: Map) -> Map:
        out = cv2.GaussianBlur(x, (window, window), sigma, borderType=cv2.BORDER_REFLECT_101)
        return np.asarray(out, np.float32)

    # In place, as new arrays of this size cost more than the arithmetic.
    squares_a, squares_b, between = blurred(a), blurred(b), np.empty_like(a)
    np.multiply(squares_a, squares_b, out=between)
    squares_a *= squares_a
    squares_b *= squares_b
    product = a * a
    variances = np.maximum(blurred(product) - squares_a, 0)
    np.multiply(b, b, out=product)
    variances += np.maximum(blurred(product) - squares_b, 0)
    np.multiply(a, b, out=product)
    covariance = blurred(product)
    covariance -= between
    for factor, constant in zip((between, covariance), constants, strict=True):
        factor *= 2
        factor += constant
    squares_a += squares_b
    squares_a += constants[0]
    variances += constants[1]
    between *= covariance
    between /= squares_a
    between /= variances
    return between
