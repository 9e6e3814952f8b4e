# SPDX-License-Identifier: Apache-2.0
"""Fitted shots, fitted once more to landmarks that the video's own pixels have corrected (flow.py).

The pictures are decoded again, as streams: up to the last anchor, then all of them. None but the current is held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reenact.media import VideoInfo, read_frames

from .fit import Performance, Points, fit_frames
from .flow import Anchor, Shot
from .jumps import find_jumps

_FEWEST: Final = 2  # frames: one has nothing to be compared with


def joined_frames(frames: NDArray[np.int64], points: Points) -> NDArray[np.bool_]:
    """[N - 1] whether rows i and i + 1, numbered `frames` in the video, follow each other without gap or jump."""
    return (np.diff(frames) == 1) & ~find_jumps(points)


def refined(
    info: VideoInfo, shots: Sequence[Shot], progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Performance]:
    """The shots' performances, more precise. Their `residual_px` is still the distance from the detected landmarks.

    shots: of one video, none sharing a frame; those of a single frame are returned as they are.
    progress: called with frames done and their number.
    """
    work = [shot for shot in shots if len(shot.frames) >= _FEWEST]
    corrected = _corrected(info, work, progress)
    done = {
        id(shot): fit_frames(shot.person, points, joined_frames(shot.frames, shot.points))
        for shot, points in zip(work, corrected, strict=True)
    }
    return [_with_residual(shot, done[id(shot)]) if id(shot) in done else shot.fitted for shot in shots]


def _corrected(info: VideoInfo, shots: Sequence[Shot], progress: Callable[[int, int], None]) -> list[Points]:
    """Landmarks [N, 478, 2] px of every shot."""
    place = {int(frame): (s, row) for s, shot in enumerate(shots) for row, frame in enumerate(shot.frames)}
    anchors = _anchors(info, shots)
    points = [shot.points.copy() for shot in shots]
    done = 0
    for frame in read_frames(info):
        if frame.index in place:
            s, row = place[frame.index]
            points[s][row] = anchors[s].corrected(row, frame.image)
            done += 1
            progress(done, len(place))
        if done == len(place):
            break
    return points


def _anchors(info: VideoInfo, shots: Sequence[Shot]) -> list[Anchor]:
    wanted = {int(shot.frames[shot.anchor_row]): s for s, shot in enumerate(shots)}
    found: dict[int, Anchor] = {}
    for frame in read_frames(info):
        if len(found) == len(shots):
            break
        if frame.index in wanted:
            s = wanted[frame.index]
            found[s] = Anchor(shots[s], frame.image)
    return [found[s] for s in range(len(shots))]


def _with_residual(shot: Shot, fitted: Performance) -> Performance:
    away = np.linalg.norm(replace(shot, fitted=fitted).predicted - shot.points, axis=-1)
    return replace(fitted, residual_px=np.median(away, axis=1).astype(np.float32))
