# SPDX-License-Identifier: Apache-2.0
"""Anybody's estimator: normals, depth, masks and classes that a user made, read from a folder (docs/maps-format.md)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reenact.media import InputError
from reenact.media.crop import SquareCrop

from .map_conventions import NAME, Depth, read_conventions
from .map_files import frames_of, read_classes, read_depth, read_mask, read_normals
from .maps import DenseEstimator, DenseMaps, Float, View, crop_rotation
from .network import CLASSES, FACE
from .resample import Covers, cut, cut_nearest

log = logging.getLogger(__name__)

_BACKGROUND: Final = CLASSES.index("background")
_UNIT: Final = (0.5, 1.5)
"""Lengths between which a vector is taken for a normal; encoders and averages leave some off 1, grey has 0."""
_KINDS: Final = ("normals", "depth", "mask", "classes")


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
        self._said = read_conventions(folder)
        self._folder, self._otherwise = folder, otherwise
        self._files = {k: frames_of(folder / k) for k in _KINDS if (folder / k).is_dir()}
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
            mask = read_mask(self._file("mask", view))[..., None]
            shown, inside = cut(mask, np.ones(mask.shape[:2], bool), covers, view.crop)
            person = inside & (shown[..., 0] > 0.5)
            classes = np.where(person, classes, np.uint8(_BACKGROUND))
            certainty = np.where(person, certainty, np.float32(0.0))
        self._check_frame(view, normals, other.normals, (certainty > 0) & np.isin(classes, FACE))
        return DenseMaps(normals, certainty, self._depth(view, covers, classes, other), classes)

    def _normals(self, view: View, covers: Covers) -> tuple[Float, Float]:
        """[S, S, 3] in the picture's camera space, and [S, S] certainty: 1 where there is a normal, else 0."""
        path = self._file("normals", view)
        stored = read_normals(path)
        length = np.linalg.norm(np.where(np.isfinite(stored), stored, np.float32(0.0)), axis=2)
        known = (length > _UNIT[0]) & (length < _UNIT[1])
        if length.any() and not known.any():
            raise InputError(f"{path} has vectors of length {np.median(length[length > 0]):.3g}; want unit normals")
        unit = stored / np.where(known, length, 1.0)[..., None]
        mean, inside = cut(np.asarray(unit * self._said.signs, np.float32), known, covers, view.crop)
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
        stored = read_classes(path)
        unnamed = sorted(set(np.unique(stored).tolist()) - set(labels))
        if unnamed:
            raise InputError(f"{path} holds class {unnamed[0]}, unknown to {NAME}; want every class named there")
        table = np.zeros(256, np.uint8)
        table[list(labels)] = list(labels.values())
        return cut_nearest(table[stored], covers, view.crop, _BACKGROUND)

    def _depth(self, view: View, covers: Covers, classes: NDArray[np.uint8], other: DenseMaps) -> Float | None:
        if self._said.depth is None:
            return None
        path = self._file("depth", view)
        stored = read_depth(path)
        # Nothing is at no distance: metric maps have 0 where they know nothing.
        seen = np.isfinite(stored) & ((stored > 0) | (self._said.depth.kind != "metric"))
        values, known = cut(stored[..., None], seen, covers, view.crop)
        face = known & np.isin(classes, FACE)
        depth = _crop_depth(values[..., 0], face, self._said.depth, other.depth, view)
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
    """`DenseEstimator` that asks a different one for each file the views are of, and one for all others."""

    def __init__(self, estimators: Mapping[Path, DenseEstimator], otherwise: DenseEstimator) -> None:
        self._estimators, self._otherwise = dict(estimators), otherwise
        self.name = ", ".join(dict.fromkeys([*(e.name for e in self._estimators.values()), otherwise.name]))

    def __call__(self, views: Sequence[View]) -> list[DenseMaps]:
        """Maps of each view. Raises InputError where one of the estimators does."""
        return [maps for view in views for maps in self._of(view)([view])]

    def _of(self, view: View) -> DenseEstimator:
        return self._otherwise if view.source is None else self._estimators.get(view.source, self._otherwise)


def _turn(covers: Covers, view: View) -> Float:
    """[3, 3] to the picture's camera space from that of a camera that looks at the middle of what is covered."""
    left, top, wide, high = covers
    height, width = view.picture.shape[:2]
    at_middle = SquareCrop(left + wide / 2 - 0.5, top + high / 2 - 0.5, 1.0, 1)
    return crop_rotation(at_middle, view.focal_px, width, height)


def _crop_depth(values: Float, face: NDArray[np.bool_], kind: Depth, other: Float | None, view: View) -> Float | None:
    """Depth in sides of the crop, up to a shift; None if the scale cannot be known, or it is no depth of this face.

    What a camera sees does not say how large things are. But everything here is counted in sides of the crop at the
    head's distance, and that distance is focal length over side of the crop, in sides: an absolute depth needs no other
    number.

    metric: by its own mean over the face and the focal length it was made with; errors of its scale cancel.
    relative: scaled to vary over the face as much as another estimator's depth. disparity: likewise, of 1 / depth.

    Args:
        values: [S, S] as the maker stored them.
        face: [S, S] where they are known and show the face.
        other: [S, S] the other estimator's depth, sides of the crop, up to a shift; None if it has none.
    """
    if face.sum() < 50:
        return None
    side_px = view.crop.size
    if kind.focal_px is not None:
        distance = float(np.median(values[face]))
        return values * np.float32(kind.focal_px / side_px / distance) if distance > 0 else None
    if other is None:
        return None
    away = view.focal_px / side_px
    known = other[face] - other[face].mean() + away
    if (known <= 0).any():
        return None
    target = known if kind.kind == "relative" else 1.0 / known
    if np.std(values[face]) == 0 or np.corrcoef(values[face], target)[0, 1] < 0.5:
        return None
    # Least squares of one given the other would shrink the scale by their correlation.
    scale = np.std(target) / np.std(values[face])
    scaled = scale * (values - values[face].mean()) + target.mean()
    if kind.kind == "relative":
        return scaled.astype(np.float32)
    return np.where(scaled > 0, 1.0 / np.where(scaled > 0, scaled, 1.0), np.nan).astype(np.float32)
