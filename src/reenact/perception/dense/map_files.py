# SPDX-License-Identifier: Apache-2.0
"""Map files on disk: which frame each is of, and their numbers, whatever of the allowed types they are stored in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.media import InputError

from .maps import Float

SUFFIXES: Final = (".npy", ".png")


def frames_of(folder: Path) -> dict[int, Path]:
    """Files of a folder by the last number in their names, as in ``clip_000012.png``.

    Raises InputError for a file of another type, a name without a number, or a number that occurs twice.
    """
    found: dict[int, Path] = {}
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith(".")):
        if path.suffix.lower() not in SUFFIXES:
            raise InputError(f"{path} is no map; want only {' or '.join(SUFFIXES)} files in {folder}")
        digits = re.findall(r"\d+", path.stem)
        if not digits:
            raise InputError(
                f"{path} has no frame number in its name; want one, as in {folder / ('000012' + path.suffix)}"
            )
        number = int(digits[-1])
        if number in found:
            raise InputError(f"{path} and {found[number].name} are both of frame {number}; want one file a frame")
        found[number] = path
    return found


def read_normals(path: Path) -> Float:
    """[H, W, 3] as stored, components in -1..1; (0, 0, 0) where there is none. PNG: rgb = (n + 1) / 2, black: none.

    Raises InputError unless it is a float array [H, W, 3] or an RGB PNG of 8 or 16 bits.
    """
    stored = _read(path)
    if stored.ndim != 3 or stored.shape[2] != 3:
        raise InputError(f"{path} has shape {_shape(stored)}; want normals of shape H x W x 3")
    if path.suffix.lower() == ".npy":
        return _floats(path, stored)
    largest = np.float32(np.iinfo(stored.dtype).max)
    normals = stored.astype(np.float32) * (2.0 / largest) - 1.0
    normals[(stored == 0).all(axis=2)] = 0.0
    return normals


def read_depth(path: Path) -> Float:
    """[H, W] as stored; NaN where it is not finite. Raises InputError unless a float array or a grey PNG."""
    stored = _read(path)
    if stored.ndim != 2:
        raise InputError(f"{path} has shape {_shape(stored)}; want depth of shape H x W")
    depth = _floats(path, stored) if path.suffix.lower() == ".npy" else stored.astype(np.float32)
    return np.where(np.isfinite(depth), depth, np.float32(np.nan))


def read_mask(path: Path) -> Float:
    """[H, W] 0..1, 1 where the person is. Raises InputError unless numbers are 0..1 (.npy) or grey (.png)."""
    stored = _read(path)
    if stored.ndim != 2:
        raise InputError(f"{path} has shape {_shape(stored)}; want a mask of shape H x W")
    if path.suffix.lower() == ".png":
        return np.asarray(stored.astype(np.float32) / np.float32(np.iinfo(stored.dtype).max), np.float32)
    mask = stored.astype(np.float32)
    if not (np.isfinite(mask).all() and mask.min() >= 0.0 and mask.max() <= 1.0):
        raise InputError(f"{path} has numbers from {mask.min():g} to {mask.max():g}; want a mask, numbers 0 to 1")
    return mask


def read_classes(path: Path) -> NDArray[np.uint8]:
    """[H, W] the maker's class numbers. Raises InputError unless they are whole numbers from 0 to 255."""
    stored = _read(path)
    if stored.ndim != 2 or stored.dtype.kind not in "iub" or stored.min() < 0 or stored.max() > 255:
        raise InputError(f"{path} holds {stored.dtype} of shape {_shape(stored)}; want classes, H x W, from 0 to 255")
    return stored.astype(np.uint8)


def _read(path: Path) -> NDArray:
    """The file's array as it is stored, [H, W] or RGB [H, W, 3]."""
    if path.suffix.lower() == ".npy":
        try:
            stored = np.load(path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise InputError(f"{path} is not an array that can be read ({error}); want a plain .npy file") from error
    else:
        # Pillow reads 16-bit colour as 8-bit. Unlike imread, imdecode takes names that are not ASCII on Windows.
        decoded = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED) if path.stat().st_size else None
        if decoded is None:
            raise InputError(f"{path} is not a PNG that can be read; want one of 8 or 16 bits")
        stored = np.asarray(decoded)
        stored = stored[..., ::-1] if stored.ndim == 3 and stored.shape[2] == 3 else stored
    if not stored.size:
        raise InputError(f"{path} has shape {_shape(stored)}; want a map with pixels")
    return stored


def _floats(path: Path, stored: NDArray) -> Float:
    if stored.dtype.kind != "f":
        raise InputError(f"{path} holds {stored.dtype}; want float16, float32 or float64")
    return stored.astype(np.float32)


def _shape(array: NDArray) -> str:
    return " x ".join(str(n) for n in array.shape)
