# SPDX-License-Identifier: Apache-2.0
"""What every table must contain: a photo that does not move, the driver's own video, and a plain 2D landmark warp."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import repeat

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from reenact.head.mesh import rms_radius
from reenact.rendering import interpolate, rasterise

Image = NDArray[np.uint8]
_BORDER = 9  # points along each side of the picture that stay


def static(photo: Image, frames: int) -> Iterator[Image]:
    """STATIC: the photo, frozen. Whole-frame measures and identity love it; motion does not."""
    return repeat(photo, frames)


def warp_2d(photo: Image, photo_points: NDArray[np.floating], driver_points: Iterable[NDArray[np.floating] | None],
            *, absolute: bool) -> Iterator[Image]:  # fmt: skip
    """The photo, its landmarks' triangles moved as the driver's landmarks move; no 3D, nothing behind the lips.

    photo: [H, W, 3]. photo_points: [L, 2] px. driver_points: for each frame [L, 2] px of the driver, or None where no
    face is seen: the last frame stands. absolute: take the driver's places as they are (self-reenactment, where the
    photo is the driver's first frame); else their motion since the first, in the photo's face sizes.
    """
    height, width = photo.shape[:2]
    fixed = _frame_points(width, height)
    source = np.concatenate([photo_points, fixed]).astype(np.float32)
    triangles = torch.from_numpy(Delaunay(source).simplices.astype(np.int32))
    first: NDArray[np.floating] | None = None
    points = photo_points
    for found in driver_points:
        if found is not None:
            if first is None:
                first = found
            points = (
                found if absolute else photo_points + (found - first) * rms_radius(photo_points) / rms_radius(first)
            )
        yield _warp(photo, source, np.concatenate([points, fixed]).astype(np.float32), triangles)


def _warp(photo: Image, source: NDArray[np.float32], target: NDArray[np.float32], triangles: torch.Tensor) -> Image:
    """The photo with triangles over `source` [V, 2] px drawn where `target` [V, 2] px has them."""
    px = torch.from_numpy(np.column_stack([target, np.ones(len(target), np.float32)])[None])
    drawn = rasterise(px, triangles, photo.shape[0], photo.shape[1], cull_back=False)
    shift = interpolate(torch.from_numpy(source - target), triangles, drawn)[0].numpy()
    y, x = np.mgrid[0 : photo.shape[0], 0 : photo.shape[1]].astype(np.float32)
    out = cv2.remap(photo, x + shift[..., 0], y + shift[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)


def _frame_points(width: int, height: int) -> NDArray[np.float64]:
    share = np.linspace(0.0, 1.0, _BORDER)
    sides = [(share, 0 * share), (share, 0 * share + 1), (0 * share, share), (0 * share + 1, share)]
    points = np.concatenate([np.column_stack(side) for side in sides]) * (width, height)
    return np.unique(points, axis=0)
