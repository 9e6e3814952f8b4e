# SPDX-License-Identifier: Apache-2.0
"""A performance read at other moments: slower, faster, at another frame rate, in so many frames."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from reenact.media.errors import InputError
from reenact.media.rates import MAX_FPS, MIN_FPS
from reenact.tracking.coarse_track import CoarseTrack

from .edit import shots

MAX_SPEED = 100
MAX_FRAMES = 1_000_000


def sampled(track: CoarseTrack, at: ArrayLike) -> CoarseTrack:
    """The track read at fractional rows `at` [P], ascending, in 0..F-1; at whole rows exactly as it is.

    Codes [P, 52], gaze [P, 2, 2], places [P, 3] and dynamic offsets are interpolated linearly, rotations along the
    geodesic, and never across a cut: between the last row of a shot and the first of the next the last is held. `seen`
    and `residual_px` are those of the nearer row. `frame` is counted anew from 0, for the rows are no longer those of
    the source.
    """
    place = np.asarray(at, np.float64)
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, len(track) - 1)
    high = np.where(track.shot[high] == track.shot[low], high, low)
    share = np.where(high > low, place - low, 0.0)
    near = np.where(share < 0.5, low, high)

    def linear(values: NDArray[np.float32]) -> NDArray[np.float32]:
        weight = share.reshape(-1, *[1] * (values.ndim - 1))
        return ((1 - weight) * values[low] + weight * values[high]).astype(np.float32)

    rotation = track.R_cam_head[low].copy()
    between = share > 0
    if between.any():
        rotation[between] = turned(track.R_cam_head[low[between]], track.R_cam_head[high[between]], share[between])
    return replace(
        track,
        expression=linear(track.expression),
        gaze=linear(track.gaze),
        t_cam_head=linear(track.t_cam_head),
        R_cam_head=rotation,
        residual_px=track.residual_px[near],
        dynamic=None if track.dynamic is None else linear(track.dynamic),
        seen=track.seen[near],
        shot=track.shot[low],
        frame=np.arange(len(place), dtype=np.int32),
    )


def turned(start: ArrayLike, end: ArrayLike, share: ArrayLike) -> NDArray[np.float64]:
    """Rotations [N, 3, 3] that have gone `share` [N] or one number of the way from `start` to `end`, [N, 3, 3] each."""
    first = Rotation.from_matrix(np.asarray(start, np.float64))
    way = (Rotation.from_matrix(np.asarray(end, np.float64)) * first.inv()).as_rotvec()
    return (Rotation.from_rotvec(np.reshape(share, (-1, 1)) * way) * first).as_matrix()


def retime(
    track: CoarseTrack, *, speed: float | None = None, fps: Fraction | None = None, frames: int | None = None
) -> CoarseTrack:
    """Play a performance at another speed or rate. Exactly one of the three is given.

    speed: times as fast, at the same frames a second: 0.5 makes twice as many frames. fps: the same duration at another
    rate. frames: so many in all at the same frames a second, faster or slower as that needs.

    Frame j of the result shows the performance at the time of frame j, counted from the first; each shot begins with
    the frame nearest its cut, lasts at least one frame, and its last moment is held where the result runs past it.
    Raises InputError for a speed outside 0.01..100, a rate outside 1..240, fewer frames than shots or too many.
    """
    if sum(option is not None for option in (speed, fps, frames)) != 1:
        raise ValueError("retime takes one of speed, fps and frames")
    count = len(track)
    if speed is not None:
        if not 1 / MAX_SPEED <= speed <= MAX_SPEED:
            raise InputError(f"a speed of {speed:g}x was asked for; want {1 / MAX_SPEED:g}x to {MAX_SPEED}x")
        ratio = 1 / speed
    elif fps is not None:
        if not MIN_FPS <= fps <= MAX_FPS:
            raise InputError(f"{float(fps):g} frames per second were asked for; want {MIN_FPS} to {MAX_FPS}")
        ratio = float(fps / track.fps)
    else:
        ratio = (frames or 0) / count
    least = sum(1 for _ in shots(track))
    total = max(round(count * ratio), least) if frames is None else frames
    if not least <= total <= MAX_FRAMES:
        raise InputError(f"{track.source} in {total} frames was asked for; want {least} to {MAX_FRAMES}")
    rate = track.fps if fps is None else fps
    if total == count and ratio == 1:
        return track  # and `frame` still says where each was
    return replace(sampled(track, _moments(track, ratio, total)), fps=rate)


def _moments(track: CoarseTrack, ratio: float, total: int) -> NDArray[np.float64]:
    """[total] fractional rows, `1 / ratio` apart; every shot gets at least one."""
    pieces = list(shots(track))
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
