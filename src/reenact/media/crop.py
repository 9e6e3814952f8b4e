# SPDX-License-Identifier: Apache-2.0
"""A square cut out of a photo or frame, and put back into it without a seam."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

# Width of the soft edge of a pasted crop, as a share of its side.
_EDGE = 0.05


@dataclass(frozen=True)
class SquareCrop:
    """An axis-parallel square of the source image, resampled to `output_px` a side.

    `x0`, `y0`: its top left corner, `size`: its side, in source pixels, x right, y down, where the top left
    pixel covers (0, 0) to (1, 1) and has its centre at (0.5, 0.5). The square may reach beyond the image.

    Raises ValueError if size or output_px is not positive.
    """

    x0: float
    y0: float
    size: float
    output_px: int

    def __post_init__(self) -> None:
        if not self.size > 0 or self.output_px < 1:
            raise ValueError(f"a crop has a positive size and output, got {self.size} and {self.output_px}")

    @property
    def scale(self) -> float:
        """Source pixels per crop pixel."""
        return self.size / self.output_px

    def to_crop(self, points: np.ndarray) -> np.ndarray:
        """Source pixel coordinates [..., 2] to crop pixel coordinates [..., 2]."""
        return (np.asarray(points, dtype=np.float64) - (self.x0, self.y0)) / self.scale

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """Crop pixel coordinates [..., 2] to source pixel coordinates [..., 2]: the inverse of to_crop."""
        return np.asarray(points, dtype=np.float64) * self.scale + (self.x0, self.y0)

    def extract(self, img: np.ndarray) -> np.ndarray:
        """Cut the square out of uint8 RGB [H, W, 3]: uint8 [P, P, 3] with P = output_px.

        Outside the image its edge pixels are repeated. Shrinking averages over the area of each crop pixel,
        so nothing aliases; at scale 1 and whole offsets the pixels are copied as they are.
        """
        around = math.ceil(3 * max(self.scale, 1.0))  # what the widest filter may want around each crop pixel
        left, right, pad_x = _span(self.x0, self.size, around, img.shape[1])
        top, bottom, pad_y = _span(self.y0, self.size, around, img.shape[0])
        patch = np.pad(img[top:bottom, left:right], (pad_y, pad_x, (0, 0)), mode="edge")
        x = self.x0 - (left - pad_x[0])
        y = self.y0 - (top - pad_y[0])
        return _resample(patch, (self.output_px, self.output_px), (x, y, x + self.size, y + self.size))


def paste_back(
    full_img: np.ndarray, crop_img: np.ndarray, crop: SquareCrop, mask: np.ndarray | None = None
) -> np.ndarray:
    """Put a changed crop back into the whole picture, at the picture's own resolution.

    Args:
        full_img: uint8 RGB [H, W, 3], left as it is.
        crop_img: uint8 RGB [P, P, 3] with P = crop.output_px.
        crop: where crop_img belongs.
        mask: float [P, P], 1 where crop_img is to be seen, 0 where the picture is to stay bit for bit. None
            shows all of it but for a soft edge wherever the crop ends inside the picture.

    Returns:
        uint8 RGB [H, W, 3], a new array.

    Raises ValueError if crop_img or mask has another shape.
    """
    side = crop.output_px
    if crop_img.shape != (side, side, 3) or (mask is not None and mask.shape != (side, side)):
        shapes = list(crop_img.shape), None if mask is None else list(mask.shape)
        raise ValueError(f"crop and mask must be [{side}, {side}, 3] and [{side}, {side}], got {shapes}")
    height, width = full_img.shape[:2]
    result = full_img.copy()
    # Pixels covered in part only, at the crop's border, stay: their colour is not known from the crop alone.
    left, right = max(0, math.ceil(crop.x0)), min(width, math.floor(crop.x0 + crop.size))
    top, bottom = max(0, math.ceil(crop.y0)), min(height, math.floor(crop.y0 + crop.size))
    if left >= right or top >= bottom:
        return result

    if mask is None:
        mask = _soft_edges(crop, width, height)
    corners = np.clip(crop.to_crop(np.array(((left, top), (right, bottom)))), 0.0, side)
    box = (float(corners[0, 0]), float(corners[0, 1]), float(corners[1, 0]), float(corners[1, 1]))
    shape = (right - left, bottom - top)
    colour = _resample(crop_img, shape, box).astype(np.float32)
    weight = _resample(np.clip(mask, 0.0, 1.0).astype(np.float32), shape, box)[..., None]
    old = result[top:bottom, left:right].astype(np.float32)
    result[top:bottom, left:right] = np.rint(old + weight * (colour - old)).astype(np.uint8)
    return result


def _resample(img: np.ndarray, size: tuple[int, int], box: tuple[float, float, float, float]) -> np.ndarray:
    """The `box` (left, top, right, bottom) of uint8 [H, W, 3] or float32 [H, W] at `size` (width, height).

    Pillow's filters widen with the scale when they shrink, and take sub-pixel boxes.
    """
    if img.ndim == 2:
        method = Image.Resampling.BILINEAR  # no overshoot: a weight stays within 0..1
    else:
        shrinks = box[2] - box[0] > size[0]
        method = Image.Resampling.HAMMING if shrinks else Image.Resampling.BICUBIC
    return np.array(Image.fromarray(img).resize(size, method, box=box))


def _span(start: float, size: float, around: int, length: int) -> tuple[int, int, tuple[int, int]]:
    """Of one axis: the first and last + 1 pixel to take from the image, and the padding before and after."""
    low, high = math.floor(start) - around, math.ceil(start + size) + around
    first = min(max(low, 0), length - 1)
    last = min(max(high, first + 1), length)
    return first, last, (first - low if low < first else 0, high - last if high > last else 0)


def _soft_edges(crop: SquareCrop, width: int, height: int) -> np.ndarray:
    """[P, P], rising from 0 to 1 over _EDGE from each side of the crop that lies inside the picture."""
    centre = (np.arange(crop.output_px) + 0.5) / crop.output_px

    def rise(inside_low: bool, inside_high: bool) -> np.ndarray:
        ramp = np.ones_like(centre)
        if inside_low:
            ramp = np.minimum(ramp, centre / _EDGE)
        if inside_high:
            ramp = np.minimum(ramp, (1 - centre) / _EDGE)
        return ramp * ramp * (3 - 2 * ramp)

    across = rise(crop.x0 > 0, crop.x0 + crop.size < width)
    down = rise(crop.y0 > 0, crop.y0 + crop.size < height)
    return down[:, None] * across[None, :]
