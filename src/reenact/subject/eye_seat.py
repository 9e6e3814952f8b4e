# SPDX-License-Identifier: Apache-2.0
"""Eyeballs behind their lids: static offsets move the lids and leave the balls, which must not shine through."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from reenact.head.model import Float

_DEEPEST_M = 0.004
_SHUT = (0.0, 0.5, 1.0)  # of a blink, at which is looked
_NEAR = 0.9  # square of the distance from the eye's axis, in radii, up to which skin lies over the ball


def eye_seat(
    neutral: Float, blink: Float, before: Float, blink_before: Float, skin: NDArray[np.integer], ball: Float, eye: Float
) -> Float:
    """[3] metres by which to move an eyeball back: all skin lies in front of it that does so without static offsets.

    neutral, blink: [N, 3] the head, canonical, metres, and what its blink adds; before, blink_before: the same without
    static offsets. skin: rows of the eye's side. ball: [B, 3] the eyeball about its centre `eye` [3].
    """
    back = 0.0
    for shut in _SHUT:
        was, now = (_sunk(n[skin] + shut * b[skin], ball, eye) for n, b in ((before, blink_before), (neutral, blink)))
        back = max(back, float(now[was < 0.0].max(initial=0.0)))
    return np.asarray([0.0, 0.0, -min(back, _DEEPEST_M)], np.float32)


def _sunk(points: NDArray[np.floating], ball: Float, eye: Float) -> NDArray[np.floating]:
    """[N] metres by which points lie behind the ball's front, along the face's own axis; far in front beside it."""
    far = np.linalg.norm(ball, axis=1)
    at = points - eye
    # The cornea stands out: the ball is as large as it is in that direction.
    nearest = KDTree(ball / far[:, None]).query(at / np.linalg.norm(at, axis=1, keepdims=True))[1]
    radius = far[nearest]
    beside = (at[:, :2] ** 2).sum(axis=1)
    return np.where(beside < _NEAR * radius**2, np.sqrt(np.maximum(radius**2 - beside, 0.0)) - at[:, 2], -np.inf)
