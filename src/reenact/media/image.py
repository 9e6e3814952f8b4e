# SPDX-License-Identifier: Apache-2.0
"""Photos in and out: whatever Pillow can open becomes upright 8-bit sRGB."""

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageCms, ImageOps

from .errors import InputError
from .files import existing_file, written_beside

log = logging.getLogger(__name__)

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
"""A file so called is taken for a picture, any other for a video."""
MIN_SIDE_PX = 64

# What Pillow's decoders raise on damaged data, found by cutting and flipping bytes of real files.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, LookupError, OverflowError, struct.error, zlib.error)

_SAVE_OPTIONS = {
    ".png": {"format": "PNG", "compress_level": 4},
    ".jpg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".jpeg": {"format": "JPEG", "quality": 95, "subsampling": 0},
    ".webp": {"format": "WEBP", "quality": 95},
}


def read_image(path: Path | str) -> np.ndarray:
    """Read a photo as uint8 RGB [H, W, 3], upright.

    The EXIF orientation is applied, an embedded colour profile is converted to sRGB, transparency is laid
    over white, and grey, palette, CMYK and 16-bit images become 8-bit RGB. Of an animation, the first
    picture is taken.

    Raises InputError if the file is missing, not an image, damaged, smaller than 64 px or absurdly large.
    """
    path = existing_file(path, "a photo")
    try:
        with warnings.catch_warnings():
            # Pillow warns from 89 megapixels on, which a phone can take, and refuses twice that.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
    except Image.DecompressionBombError:
        raise InputError(f"{path} claims to have over 178 megapixels; a photo of usual size is wanted.") from None
    except _DAMAGE as error:
        raise InputError(f"{path} is not an image that can be read; JPEG, PNG or WebP is wanted.") from error
    with image:
        width, height = image.size
        if min(width, height) < MIN_SIDE_PX:
            raise InputError(f"{path} is only {width} x {height} px; at least {MIN_SIDE_PX} a side are wanted.")
        try:
            image.load()
            return _over_white(_to_srgb(_to_8_bit(ImageOps.exif_transpose(image)), path))
        except _DAMAGE as error:
            raise InputError(f"{path} is damaged or truncated ({error}); a whole image is wanted.") from error


def write_image(path: Path | str, img: np.ndarray) -> None:
    """Write uint8 RGB [H, W, 3] as PNG, JPEG or WebP (by suffix), whole or not at all.

    Raises InputError for another suffix or a missing folder, ValueError for another array.
    """
    path = Path(path)
    if img.dtype != np.uint8 or img.ndim != 3 or img.shape[2] != 3:
        raise ValueError(f"an image is uint8 [H, W, 3], got {img.dtype} {list(img.shape)}")
    options = _SAVE_OPTIONS.get(path.suffix.lower())
    if options is None:
        raise InputError(f"{path} ends in '{path.suffix}'; one of {', '.join(_SAVE_OPTIONS)} is wanted.")
    with written_beside(path) as partial:
        Image.fromarray(img).save(partial, **options)


def resized(image: np.ndarray, longer: int) -> np.ndarray:
    """A picture [H, W, 3] at another size: its longer side of `longer` px."""
    factor = longer / max(image.shape[:2])
    shape = (max(2, round(image.shape[1] * factor)), max(2, round(image.shape[0] * factor)))
    return np.asarray(cv2.resize(image, shape, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC))


def _to_8_bit(image: Image.Image) -> Image.Image:
    """Pillow clips 16-bit grey to 255 when it converts; scale it instead."""
    if not image.mode.startswith(("I", "F")):
        return image
    values = np.asarray(image, dtype=np.float64)
    # Mode F is linear in nothing known: 0..1 by custom, unless it plainly is not. Mode I holds 16 bits.
    white = 65535.0 if image.mode.startswith("I") else (1.0 if np.nanmax(values) <= 1 else 255.0)
    scaled = np.clip(np.nan_to_num(values) * (255.0 / white), 0, 255)
    return Image.fromarray(np.rint(scaled).astype(np.uint8))


def _to_srgb(image: Image.Image, path: Path) -> Image.Image:
    """Convert from the embedded profile (Display P3 of phones, Adobe RGB, CMYK), if there is one."""
    profile_bytes = image.info.get("icc_profile")
    if not profile_bytes or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(profile_bytes))
        if "sRGB" in ImageCms.getProfileDescription(profile):
            return image
        mode = "RGB" if image.mode == "CMYK" else image.mode
        converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError) as error:
        log.warning("%s: its colour profile cannot be used (%s); colours are taken as sRGB", path, error)
        return image
    return image if converted is None else converted


def _over_white(image: Image.Image) -> np.ndarray:
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.array(image.convert("RGB"))


def side_by_side(pictures: Sequence[np.ndarray], height: int) -> np.ndarray:
    """uint8 RGB [H_i, W_i, 3] pictures in one row, each resized to `height` px."""
    row = []
    for picture in pictures:
        width = max(1, round(picture.shape[1] * height / picture.shape[0]))
        flags = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_LINEAR
        row.append(picture if picture.shape[0] == height else cv2.resize(picture, (width, height), interpolation=flags))
    return np.concatenate(row, axis=1)
