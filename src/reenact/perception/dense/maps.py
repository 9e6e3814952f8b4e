# SPDX-License-Identifier: Apache-2.0
"""What a monocular estimator says about a picture, and the protocol that every estimator obeys."""

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


@dataclass(frozen=True)
class DenseMaps:
    """Of one crop of S x S pixels."""

    normals: Float  # [S, S, 3] unit, in the whole picture's camera space (x right, y down, z away)
    certainty: Float  # [S, S] 0..1: how much the normal is worth
    depth: Float | None  # [S, S] in sides of the crop, up to a shift (lab/training/data/portraits.py); None: not known
    classes: NDArray[np.uint8]  # [S, S] index into classes.CLASSES


class DenseEstimator(Protocol):
    """Normals, depth and classes of pictures of a head."""

    name: str

    def __call__(self, views: Sequence[View]) -> list[DenseMaps]:
        """Maps of each view. Raises InputError where an estimator that reads files lacks one."""
        ...
