# SPDX-License-Identifier: Apache-2.0
"""The square that a dense estimator is shown: around a tracked head, as large in it as heads were in training."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reenact.media.crop import SquareCrop

_SIDE_M = 0.351
"""Side of the crop at a grown head's distance: its 26 cm with hair fill 0.74 of it."""
BASE_FACE_M = 0.0522
"""Root mean square radius of the base adult's landmarks (Clip.face_size_m), for which _SIDE_M is right."""
_DOWN_M = 0.004  # the middle of hair and chin, below the eyes


def head_crop(
    t_cam_head: NDArray[np.floating], face_size_m: float, focal_px: float, width: int, height: int, size: int
) -> SquareCrop:
    """The crop, of `size` pixels, for a head at t_cam_head [3] metres in a picture of width x height px."""
    grown = face_size_m / BASE_FACE_M
    x, y, z = np.asarray(t_cam_head, np.float64) + np.asarray([0.0, _DOWN_M * grown, 0.0])
    side = _SIDE_M * grown * focal_px / z
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
