# SPDX-License-Identifier: Apache-2.0
"""Soft lines over the skin."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from reenact.head.model import Float

from .window import Box


class Near(NamedTuple):
    """For every pixel of a box, the nearest point of a line."""

    distance: Float  # [h, w] px
    place: Float  # [h, w] where on the line it is, 0 at its start, 1 at its end


def nearest_on(line: Float, box: Box) -> Near:
    """line: [N, 2] corners, px of the picture, N > 1."""
    corners = line - box.corner
    x, y = np.meshgrid(np.arange(box.shape[1]) + 0.5, np.arange(box.shape[0]) + 0.5)
    start, along = corners[:-1], np.diff(corners, axis=0)
    right, down = x[..., None] - start[:, 0], y[..., None] - start[:, 1]
    share = (right * along[:, 0] + down * along[:, 1]) / np.maximum((along**2).sum(axis=1), 1e-6)
    share = np.clip(share, 0.0, 1.0)
    squared = (right - share * along[:, 0]) ** 2 + (down - share * along[:, 1]) ** 2
    nearest = squared.argmin(axis=-1)[..., None]
    distance = np.sqrt(np.take_along_axis(squared, nearest, -1)[..., 0])
    place = (nearest[..., 0] + np.take_along_axis(share, nearest, -1)[..., 0]) / len(along)
    return Near(distance.astype(np.float32), place.astype(np.float32))
