# SPDX-License-Identifier: Apache-2.0
"""What a monocular estimator says about a picture of a head, the square it is shown, and the protocol it obeys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reenact.media.crop import SquareCrop

Float = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """A picture to be looked at."""

    picture: NDArray[np.uint8]  # [H, W, 3] RGB
    frame: int  # its number in the clip, 0 for a photo
    crop: SquareCrop  # around the head, see crops.head_crop; the maps are of its output_px
    focal_px: float  # of the picture, whose principal point is in its middle
    source: Path | None = None  # the file it is from, as it was given; estimators that read files go by it

    def inside(self, size: int) -> NDArray[np.bool_]:
        """Return which pixels [size, size] of the crop the picture shows; nothing is known of the others."""
        height, width = self.picture.shape[:2]
        grid = np.arange(size) + 0.5
        x, y = self.crop.to_image(np.stack([grid, grid], -1) * (self.crop.output_px / size)).T
        return ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))[None]


@dataclass(frozen=True)
class DenseMaps:
    """Of one crop of S x S pixels."""

    normals: Float  # [S, S, 3] unit, in the whole picture's camera space (x right, y down, z away)
    certainty: Float  # [S, S] 0..1: how much the normal is worth
    depth: Float | None  # [S, S] in sides of the crop, up to a shift (lab/training/data/portraits.py); None: not known
    classes: NDArray[np.uint8]  # [S, S] index into network.CLASSES


class DenseEstimator(Protocol):
    """Normals, depth and classes of pictures of a head."""

    name: str

    def __call__(self, views: Sequence[View]) -> list[DenseMaps]:
        """Maps of each view. Raises InputError where an estimator that reads files lacks one."""
        ...


BASE_FACE_M = 0.0522
"""Root mean square radius of the base adult's landmarks (Clip.face_size_m)."""


def head_crop(
    t_cam_head: NDArray[np.floating], face_size_m: float, focal_px: float, width: int, height: int, size: int
) -> SquareCrop:
    """The crop, of `size` pixels, for a head at t_cam_head [3] metres in a picture of width x height px."""
    grown = face_size_m / BASE_FACE_M
    x, y, z = np.asarray(t_cam_head, np.float64) + np.asarray([0.0, 0.004 * grown, 0.0])  # the middle of hair and chin
    side = 0.351 * grown * focal_px / z  # a grown head's 26 cm with hair fill 0.74 of the square
    centre = np.asarray([width / 2 + focal_px * x / z, height / 2 + focal_px * y / z])
    return SquareCrop(float(centre[0] - side / 2), float(centre[1] - side / 2), float(side), size)


def crop_rotation(crop: SquareCrop, focal_px: float, width: int, height: int) -> NDArray[np.float32]:
    """[3, 3] from the space of a camera that looks at the crop's middle to the picture's camera space.

    The one turns to the other about an axis in the picture: what is upright stays so.
    """
    middle = np.asarray([crop.x0 + crop.size / 2 - width / 2, crop.y0 + crop.size / 2 - height / 2, focal_px])
    to = middle / np.linalg.norm(middle)
    axis = np.cross([0.0, 0.0, 1.0], to)
    cross = np.asarray([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
    return (np.eye(3) + cross + cross @ cross / (1.0 + to[2])).astype(np.float32)
