# SPDX-License-Identifier: Apache-2.0
"""Colours read off the photo at points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reenact.head.model import Float


def sample(picture: NDArray, xy: Float) -> Float:
    """[N, C] values of a picture [H, W, C] at points [N, 2 or more] px (pixel centres at +0.5), nearest pixel."""
    column = np.clip(np.floor(xy[:, 0]), 0, picture.shape[1] - 1).astype(int)
    row = np.clip(np.floor(xy[:, 1]), 0, picture.shape[0] - 1).astype(int)
    return picture[row, column].astype(np.float32)
