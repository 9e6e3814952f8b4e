# SPDX-License-Identifier: Apache-2.0
"""A motion read at other moments: slower, faster, at another frame rate, in so many frames."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from reenact.head.motion import Motion
from reenact.media.errors import InputError
from reenact.media.rates import MAX_FPS, MIN_FPS

MAX_SPEED = 100
MAX_FRAMES = 1_000_000


def sampled(motion: Motion, at: ArrayLike) -> Motion:
    """Read a motion at fractional rows `at` [P], ascending, in 0..F-1; at whole rows exactly as it is.

    Codes [P, 52], gaze [P, 2, 2], places [P, 3] and dynamic offsets are interpolated linearly, rotations along the
    geodesic, and never across a cut: between the last row of a shot and the first of the next the last is held. `seen`
    and `residual_px` are those of the nearer row. `frame` is counted anew from 0, for the rows are no longer those of
    the source.
    """
    place = np.asarray(at, np.float64)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, len(motion) - 1)
    if motion.clip is not None:
        shot = motion.clip.shot.numpy()
        high = np.where(shot[high] == shot[low], high, low)
    share = np.where(high > low, place - low, 0.0)
    near = np.where(share < 0.5, low, high)

    def linear(tensor: Tensor) -> NDArray[np.float64]:
        values, weight = tensor.numpy(), share.reshape(-1, *[1] * (tensor.ndim - 1))
        return (1 - weight) * values[low] + weight * values[high]

    given = motion.rotation.numpy()
    rotation, between = given[low], share > 0
    if between.any():
        rotation[between] = turned(given[low[between]], given[high[between]], share[between])
    clip = motion.clip
    if clip is not None:
        # A row between two has the shot of the one before it, and all else from the nearer.
        clip = replace(
            clip.select(torch.from_numpy(near)),
            shot=clip.shot[torch.from_numpy(low)],
            frame=torch.arange(len(place), dtype=torch.int32),
        )
    return motion.replace(
        expression=linear(motion.expression),
        gaze=linear(motion.gaze),
        rotation=rotation,
        translation=linear(motion.translation),
        landmark_offset=None if motion.landmark_offset is None else linear(motion.landmark_offset),
        dynamic_offset=None if motion.dynamic_offset is None else linear(motion.dynamic_offset),
        clip=clip,
    )


def ease_in(still: Motion) -> Motion:
    """Make a motion of one frame one of two seconds: from a neutral face into its expression, in its pose and gaze."""
    rest, move, hold = (round(s * float(still.fps)) for s in (0.4, 0.6, 1.0))  # seconds
    ramp = np.linspace(0, 1, move + 2)[1:-1]
    amount = np.concatenate([np.zeros(rest), ramp**2 * (3 - 2 * ramp), np.ones(hold)])
    held = still[np.zeros(len(amount), np.int64)]
    return held.replace(expression=amount[:, None] * held.expression.numpy())


def turned(start: ArrayLike, end: ArrayLike, share: ArrayLike) -> NDArray[np.float64]:
    """Rotations [N, 3, 3] that have gone `share` [N] or one number of the way from `start` to `end`, [N, 3, 3] each."""
    first = Rotation.from_matrix(np.asarray(start, np.float64))
    way = (Rotation.from_matrix(np.asarray(end, np.float64)) * first.inv()).as_rotvec()
    return (Rotation.from_rotvec(np.reshape(share, (-1, 1)) * way) * first).as_matrix()


def retime(
    motion: Motion, *, speed: float | None = None, fps: Fraction | None = None, frames: int | None = None
) -> Motion:
    """Play a motion at another speed or rate. Exactly one of the three is given.

    speed: times as fast, at the same frames a second: 0.5 makes twice as many frames. fps: the same duration at another
    rate. frames: so many in all at the same frames a second, faster or slower as that needs.

    Frame j of the result shows the motion at the time of frame j, counted from the first; each shot begins with
    the frame nearest its cut, lasts at least one frame, and its last moment is held where the result runs past it.
    Raises InputError for a speed outside 0.01..100, a rate outside 1..240, fewer frames than shots or too many.
    """
    if sum(option is not None for option in (speed, fps, frames)) != 1:
        raise ValueError("retime takes one of speed, fps and frames")
    count = len(motion)
    if speed is not None:
        if not 1 / MAX_SPEED <= speed <= MAX_SPEED:
            raise InputError(f"a speed of {speed:g}x was asked for; want {1 / MAX_SPEED:g}x to {MAX_SPEED}x")
        ratio = 1 / speed
    elif fps is not None:
        if not MIN_FPS <= fps <= MAX_FPS:
            raise InputError(f"{float(fps):g} frames per second were asked for; want {MIN_FPS} to {MAX_FPS}")
        ratio = float(fps / motion.fps)
    else:
        ratio = (frames or 0) / count
    least = sum(1 for _ in motion.shots())
    total = max(round(count * ratio), least) if frames is None else frames
    if not least <= total <= MAX_FRAMES:
        raise InputError(f"{motion.source} in {total} frames was asked for; want {least} to {MAX_FRAMES}")
    rate = motion.fps if fps is None else fps
    if total == count and ratio == 1:
        return motion  # and `frame` still says where each was
    return sampled(motion, _moments(motion, ratio, total)).replace(fps=rate)


def _moments(motion: Motion, ratio: float, total: int) -> NDArray[np.float64]:
    """[total] fractional rows, `1 / ratio` apart; every shot gets at least one."""
    pieces = list(motion.shots())
    ends = [round(piece.stop * ratio) for piece in pieces[:-1]] + [total]
    for i in range(len(ends)):  # room for the shots before
        ends[i] = max(ends[i], i + 1, ends[i - 1] + 1 if i else 0)
    for i in reversed(range(len(ends))):  # and for those behind
        ends[i] = min(ends[i], total - (len(ends) - 1 - i))
    moments = np.arange(total) / ratio
    start = 0
    for piece, end in zip(pieces, ends, strict=True):
        moments[start:end] = np.clip(moments[start:end], piece.start, piece.stop - 1)
        start = end
    return moments
