# SPDX-License-Identifier: Apache-2.0
"""Pictures next to each other."""

from collections.abc import Sequence

import cv2
import numpy as np


def side_by_side(pictures: Sequence[np.ndarray], height: int) -> np.ndarray:
    """uint8 RGB [H_i, W_i, 3] pictures in one row, each resized to `height` px."""
    row = []
    for picture in pictures:
        width = max(1, round(picture.shape[1] * height / picture.shape[0]))
        flags = cv2.INTER_AREA if height < picture.shape[0] else cv2.INTER_LINEAR
        row.append(picture if picture.shape[0] == height else cv2.resize(picture, (width, height), interpolation=flags))
    return np.concatenate(row, axis=1)
