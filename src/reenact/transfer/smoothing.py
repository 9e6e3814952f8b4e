# SPDX-License-Identifier: Apache-2.0
"""Jitter taken out of a motion: without delay for a clip that is all there, with a known one for a live stream."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from reenact.head.motion import Motion
from reenact.media.errors import InputError

from .head_motion import nearest_rotation
from .timing import turned

Float = NDArray[np.float64]
MAX_SECONDS = 10.0


def smooth(motion: Motion, seconds: float) -> Motion:
    """Average over time with a Gaussian that is `seconds` wide at half its height: nothing lags, nothing leads.

    Each shot by itself: at its ends the first and last frame count as if they went on. Rotations are averaged as
    rotations (the chordal mean: the rotation nearest the weighted sum). What is shorter than `seconds` shrinks: at
    0.08 s a blink of 0.2 s keeps most of its depth, at 0.3 s little more than half. 0 changes nothing.
    Raises InputError unless 0 <= seconds <= 10.
    """
    _check(seconds)
    sigma = seconds * float(motion.fps) / (2.0 * np.sqrt(2.0 * np.log(2.0)))  # of a width at half the height
    if sigma == 0:
        return motion

    def averaged(values: Float) -> Float:
        return gaussian_filter1d(values, sigma, axis=0, mode="nearest")

    return _by_shot(motion, averaged, lambda rotation: nearest_rotation(averaged(rotation)))


def smooth_causal(motion: Motion, seconds: float) -> Motion:
    """Exponential smoothing that looks only at the past, as a live stream must; it lags, by what it smooths.

    Each frame goes the share 1 - exp(-1 / (fps seconds)) of the way from the frame before to the new value, rotations
    along the geodesic. A steady movement arrives later by 1 / (fps (exp(1 / (fps seconds)) - 1)) seconds, which is
    `seconds` less about half a frame; a sudden one has arrived to 63 % after `seconds` and to 95 % after three times as
    long; a blink is shallower and late. Each shot starts afresh at its first frame. 0 changes nothing.
    Raises InputError unless 0 <= seconds <= 10.
    """
    _check(seconds)
    if seconds == 0:
        return motion
    share = 1.0 - np.exp(-1.0 / (float(motion.fps) * seconds))

    def followed(values: Float) -> Float:
        out = values.copy()
        for row in range(1, len(values)):
            out[row] = out[row - 1] + share * (values[row] - out[row - 1])
        return out

    def turned_after(rotation: Float) -> Float:
        out = rotation.copy()
        for row in range(1, len(rotation)):
            out[row] = turned(out[row - 1 : row], rotation[row : row + 1], share)[0]
        return out

    return _by_shot(motion, followed, turned_after)


def _check(seconds: float) -> None:
    if not 0 <= seconds <= MAX_SECONDS:
        raise InputError(f"smoothing over {seconds:g} seconds was asked for; want 0 to {MAX_SECONDS:g}")


def _by_shot(motion: Motion, numbers: Callable[[Float], Float], rotations: Callable[[Float], Float]) -> Motion:
    """What two functions make of each shot [F, ...], in double precision: small differences are lost in single."""

    def smoothed(values: Tensor, by: Callable[[Float], Float]) -> Float:
        return np.concatenate([by(values[rows].double().numpy()) for rows in motion.shots()])

    return motion.replace(
        expression=smoothed(motion.expression, numbers),
        gaze=smoothed(motion.gaze, numbers),
        rotation=smoothed(motion.rotation, rotations),
        translation=smoothed(motion.translation, numbers),
        landmark_offset=None if motion.landmark_offset is None else smoothed(motion.landmark_offset, numbers),
        dynamic_offset=None if motion.dynamic_offset is None else smoothed(motion.dynamic_offset, numbers),
    )
