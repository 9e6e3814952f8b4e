# SPDX-License-Identifier: Apache-2.0
"""Normals, depth, masks and classes that a user made, read from a folder (docs/maps-format.md)."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reenact.media import InputError
from reenact.media.crop import SquareCrop

from .map_conventions import NAME, MapConventions
from .maps import DenseEstimator, DenseMaps, Float, View, crop_rotation
from .network import CLASSES, FACE

log = logging.getLogger(__name__)

_BACKGROUND: Final = CLASSES.index("background")
_UNIT: Final = (0.5, 1.5)
"""Lengths between which a vector is taken for a normal; encoders and averages leave some off 1, grey has 0."""
_SUFFIXES: Final = (".npy", ".png")
_KINDS: Final = ("normals", "depth", "mask", "classes")

Covers = tuple[float, float, float, float]  # left, top, width, height of what a map shows, px of the picture
_KNOWN: Final = 0.5
"""Share of a crop pixel's surroundings that must be known for it to be."""
Box = tuple[float, float, float, float]


class MapFolder:
    """`DenseEstimator` that reads the maps of one photo or video.

    Args:
        folder: with maps.json, normals/, and perhaps depth/, mask/ and classes/, one file a frame in each.
        otherwise: whose classes are taken where the folder has none, and whose depth says the unknown scale of
            relative depth and disparity.

    Raises:
        InputError: no statement of the coordinate frame, or files that cannot be what they are said to be.
    """

    def __init__(self, folder: Path, otherwise: DenseEstimator) -> None:
        self._said = MapConventions.read(folder)
        self._folder, self._otherwise = folder, otherwise
        self._files = {k: _frames_of(folder / k) for k in _KINDS if (folder / k).is_dir()}
        if not self._files.get("normals"):
            raise InputError(f"{folder} has no files in {folder / 'normals'}; want one a frame")
        for kind, said in (("depth", self._said.depth), ("classes", self._said.labels)):
            if (kind in self._files) != (said is not None):
                raise InputError(f"{folder} has only one of the folder {kind} and an entry {kind} in {NAME}; want both")
        self.name = f"maps of {folder.name}"

    def __call__(self, views: Sequence[View]) -> list[DenseMaps]:
        """Maps of each view. Raises InputError, naming file and frame, where one is missing or of no use."""
        return [self._read(view, other) for view, other in zip(views, self._otherwise(views), strict=True)]

    def _read(self, view: View, other: DenseMaps) -> DenseMaps:
        height, width = view.picture.shape[:2]
        covers = self._said.covers or (0.0, 0.0, float(width), float(height))
        normals, certainty = self._normals(view, covers)
        classes = self._classes(view, covers, other)
        certainty = np.where(classes != _BACKGROUND, certainty, np.float32(0.0))
        if "mask" in self._files:
            mask = _read_mask(self._file("mask", view))[..., None]
            shown, inside = _cut(mask, np.ones(mask.shape[:2], bool), covers, view.crop)
            person = inside & (shown[..., 0] > 0.5)
            classes = np.where(person, classes, np.uint8(_BACKGROUND))
            certainty = np.where(person, certainty, np.float32(0.0))
        self._check_frame(view, normals, other.normals, (certainty > 0) & np.isin(classes, FACE))
        return DenseMaps(normals, certainty, self._depth(view, covers, classes, other), classes)

    def _normals(self, view: View, covers: Covers) -> tuple[Float, Float]:
        """Read normals [S, S, 3] in the picture's camera space, and certainty [S, S]: 1 where there is one, else 0."""
        path = self._file("normals", view)
        stored = _read_normals(path)
        length = np.linalg.norm(np.where(np.isfinite(stored), stored, np.float32(0.0)), axis=2)
        known = (length > _UNIT[0]) & (length < _UNIT[1])
        if length.any() and not known.any():
            raise InputError(f"{path} has vectors of length {np.median(length[length > 0]):.3g}; want unit normals")
        unit = stored / np.where(known, length, 1.0)[..., None]
        mean, inside = _cut(np.asarray(unit * self._said.signs, np.float32), known, covers, view.crop)
        if self._said.looks_ahead:
            mean = mean @ _turn(covers, view).T
        length = np.linalg.norm(mean, axis=2)
        inside &= length > 1e-3
        ahead = np.asarray([0.0, 0.0, -1.0], np.float32)
        normals = np.where(inside[..., None], mean / np.where(inside, length, 1.0)[..., None], ahead)
        return normals.astype(np.float32), inside.astype(np.float32)

    def _classes(self, view: View, covers: Covers, other: DenseMaps) -> NDArray[np.uint8]:
        labels = self._said.labels
        if labels is None:
            return other.classes
        path = self._file("classes", view)
        stored = _read_classes(path)
        unnamed = sorted(set(np.unique(stored).tolist()) - set(labels))
        if unnamed:
            raise InputError(f"{path} holds class {unnamed[0]}, unknown to {NAME}; want every class named there")
        table = np.zeros(256, np.uint8)
        table[list(labels)] = list(labels.values())
        return _cut_nearest(table[stored], covers, view.crop, _BACKGROUND)

    def _depth(self, view: View, covers: Covers, classes: NDArray[np.uint8], other: DenseMaps) -> Float | None:
        if self._said.depth is None:
            return None
        path = self._file("depth", view)
        stored = _read_depth(path)
        # Nothing is at no distance: metric maps have 0 where they know nothing.
        seen = np.isfinite(stored) & ((stored > 0) | (self._said.depth != "metric"))
        values, known = _cut(stored[..., None], seen, covers, view.crop)
        face = known & np.isin(classes, FACE)
        depth = _crop_depth(values[..., 0], face, self._said, other.depth, view)
        if depth is None:
            log.warning("%s: this depth is not used, it does not go along with the face in the picture", path)
            return None
        return np.where(known, depth, np.float32(np.nan))

    def _file(self, kind: str, view: View) -> Path:
        number = view.frame + self._said.first
        path = self._files[kind].get(number)
        if path is None:
            want = self._folder / kind / f"{number:06d}.npy"
            raise InputError(f"{self._folder / kind} has no file of frame {view.frame}; want one as {want} or .png")
        return path

    def _check_frame(self, view: View, normals: Float, other: Float, face: NDArray[np.bool_]) -> None:
        """Refuse normals that are plainly not in the frame that was stated: facing away, or mirrored.

        What is seen faces the viewer. An axis the other way round leaves that be, but then another estimator, which
        errs by a fraction of it, agrees far better with the mirrored normals.
        """
        rows, columns = np.nonzero(face)
        if not len(rows):
            return
        middle = np.asarray([view.picture.shape[1] / 2, view.picture.shape[0] / 2])
        pixels = view.crop.to_image(np.stack([columns, rows], axis=1) + 0.5) - middle
        rays = np.concatenate([pixels, np.full((len(rows), 1), view.focal_px)], axis=1)
        away = ((normals[face] * rays).sum(axis=1) > 0).mean()
        path, said = self._file("normals", view), self._folder / NAME
        if away > 0.5:
            raise InputError(
                f"{path} has {away:.0%} of the face's normals pointing away from the camera; want the axes in {said} "
                "to be those of the maps (z towards or away?)"
            )
        alike = (normals[face] * other[face]).mean(axis=0)  # [3] what each axis adds to the mean cosine
        for axis, names in ((0, "left or right"), (1, "up or down")):
            if alike[axis] < -0.05:  # about 0.1 where the estimators agree
                raise InputError(
                    f"{path} shows a face whose normals are mirrored; want the axes in {said} to be those of the maps "
                    f"({'xyz'[axis]} {names}?)"
                )


class BySource:
    """`DenseEstimator` that calls a different one for each file the views are of, and one for all others."""

    def __init__(self, estimators: Mapping[Path, DenseEstimator], otherwise: DenseEstimator) -> None:
        self._estimators, self._otherwise = dict(estimators), otherwise
        self.name = ", ".join(dict.fromkeys([*(e.name for e in self._estimators.values()), otherwise.name]))

    def __call__(self, views: Sequence[View]) -> list[DenseMaps]:
        """Maps of each view. Raises InputError where one of the estimators does."""
        return [maps for view in views for maps in self._of(view)([view])]

    def _of(self, view: View) -> DenseEstimator:
        return self._otherwise if view.source is None else self._estimators.get(view.source, self._otherwise)


def _turn(covers: Covers, view: View) -> Float:
    """Return the rotation [3, 3] to the picture's camera space from that of a camera aimed at `covers`."""
    left, top, wide, high = covers
    height, width = view.picture.shape[:2]
    at_middle = SquareCrop(left + wide / 2 - 0.5, top + high / 2 - 0.5, 1.0, 1)
    return crop_rotation(at_middle, view.focal_px, width, height)


def _crop_depth(
    values: Float, face: NDArray[np.bool_], said: MapConventions, other: Float | None, view: View
) -> Float | None:
    """Convert depth to sides of the crop, up to a shift; None if its scale is unknown or it is not of this face.

    What a camera sees does not say how large things are. But everything here is counted in sides of the crop at the
    head's distance, and that distance is focal length over side of the crop, in sides: an absolute depth needs no other
    number.

    metric: by its own mean over the face and the focal length it was made with; errors of its scale cancel.
    relative: scaled to vary over the face as much as another estimator's depth. disparity: likewise, of 1 / depth.

    Args:
        values: [S, S] as the maker stored them.
        face: [S, S] where they are known and show the face.
        said: what the maker says about them.
        other: [S, S] the other estimator's depth, sides of the crop, up to a shift; None if it has none.
    """
    if face.sum() < 50:
        return None
    side_px = view.crop.size
    if said.focal_px is not None:
        distance = float(np.median(values[face]))
        return values * np.float32(said.focal_px / side_px / distance) if distance > 0 else None
    if other is None:
        return None
    away = view.focal_px / side_px
    known = other[face] - other[face].mean() + away
    if (known <= 0).any():
        return None
    target = known if said.depth == "relative" else 1.0 / known
    if np.std(values[face]) == 0 or np.corrcoef(values[face], target)[0, 1] < 0.5:
        return None
    # Least squares of one given the other would shrink the scale by their correlation.
    scale = np.std(target) / np.std(values[face])
    scaled = scale * (values - values[face].mean()) + target.mean()
    if said.depth == "relative":
        return scaled.astype(np.float32)
    return np.where(scaled > 0, 1.0 / np.where(scaled > 0, scaled, 1.0), np.nan).astype(np.float32)


def _frames_of(folder: Path) -> dict[int, Path]:
    """Find the files of a folder by the last number in their names, as in ``clip_000012.png``.

    Raises InputError for a file of another type, a name without a number, or a number that occurs twice.
    """
    found: dict[int, Path] = {}
    for path in sorted(p for p in folder.iterdir() if not p.name.startswith(".")):
        if path.suffix.lower() not in _SUFFIXES:
            raise InputError(f"{path} is no map; want only {' or '.join(_SUFFIXES)} files in {folder}")
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


def _read_normals(path: Path) -> Float:
    """Read normals [H, W, 3] as stored, components in -1..1, 0 where there is none; PNG: (n + 1) / 2, black: none.

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


def _read_depth(path: Path) -> Float:
    """Read depth [H, W] as stored; NaN where it is not finite. Raises InputError unless a float array or a grey PNG."""
    stored = _read(path)
    if stored.ndim != 2:
        raise InputError(f"{path} has shape {_shape(stored)}; want depth of shape H x W")
    depth = _floats(path, stored) if path.suffix.lower() == ".npy" else stored.astype(np.float32)
    return np.where(np.isfinite(depth), depth, np.float32(np.nan))


def _read_mask(path: Path) -> Float:
    """Read a mask [H, W], 1 where the person is, else 0. Raises InputError unless it is 0..1 (.npy) or grey (.png)."""
    stored = _read(path)
    if stored.ndim != 2:
        raise InputError(f"{path} has shape {_shape(stored)}; want a mask of shape H x W")
    if path.suffix.lower() == ".png":
        return np.asarray(stored.astype(np.float32) / np.float32(np.iinfo(stored.dtype).max), np.float32)
    mask = stored.astype(np.float32)
    if not (np.isfinite(mask).all() and mask.min() >= 0.0 and mask.max() <= 1.0):
        raise InputError(f"{path} has numbers from {mask.min():g} to {mask.max():g}; want a mask, numbers 0 to 1")
    return mask


def _read_classes(path: Path) -> NDArray[np.uint8]:
    """Read the maker's class numbers [H, W]. Raises InputError unless they are whole numbers from 0 to 255."""
    stored = _read(path)
    if stored.ndim != 2 or stored.dtype.kind not in "iub" or stored.min() < 0 or stored.max() > 255:
        raise InputError(f"{path} holds {stored.dtype} of shape {_shape(stored)}; want classes, H x W, from 0 to 255")
    return stored.astype(np.uint8)


def _read(path: Path) -> NDArray:
    """Read a file's array as it is stored, [H, W] or RGB [H, W, 3]."""
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


def _cut(values: Float, known: NDArray[np.bool_], covers: Covers, crop: SquareCrop) -> tuple[Float, NDArray[np.bool_]]:
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


def _cut_nearest(values: NDArray[np.uint8], covers: Covers, crop: SquareCrop, outside: int) -> NDArray[np.uint8]:
    """Resample labels [H, W] to [S, S]: at the middle of each crop pixel, `outside` beyond what is covered."""
    height, width = values.shape
    left, top, wide, high = covers
    middle = np.arange(crop.output_px) + 0.5
    x, y = crop.to_image(np.stack([middle, middle], axis=1)).T
    column = np.floor((x - left) / wide * width).astype(int)
    row = np.floor((y - top) / high * height).astype(int)
    inside = ((row >= 0) & (row < height))[:, None] & ((column >= 0) & (column < width))[None]
    found = values[np.clip(row, 0, height - 1)[:, None], np.clip(column, 0, width - 1)[None]]
    return np.where(inside, found, np.uint8(outside))


def _box(height: int, width: int, covers: Covers, crop: SquareCrop) -> tuple[Box, tuple[tuple[int, int], ...]]:
    """Return the crop in pixels of the padded map, and the padding (top, bottom), (left, right) that it needs."""
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
    """Resize a plane by Pillow, whose filter widens when it shrinks, so that nothing aliases."""
    return np.asarray(Image.fromarray(plane).resize((size, size), Image.Resampling.BILINEAR, box=box))
