# SPDX-License-Identifier: Apache-2.0
"""Fitted shots, fitted once more to landmarks that the video's own pixels have corrected (flow.py).

Twice: what is left of the movement once the head has been fitted and offset is smaller, and so better found. The
pictures are decoded again for each round, as streams: up to the last anchor, then all of them. None but the current is
held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reenact.media import VideoInfo, read_frames

from .dynamic import dynamic_offsets
from .fit import Points, fit_frames
from .flow import Anchor, Shot, followed
from .jumps import find_jumps

Float = NDArray[np.float32]
_ROUNDS: Final = 2  # the first corrects the fit and finds offsets, the second finds them again
_FEWEST: Final = 2  # frames: one has nothing to be compared with


def joined_frames(frames: NDArray[np.int64], points: Points) -> NDArray[np.bool_]:
    """[N - 1] whether rows i and i + 1, numbered `frames` in the video, follow each other without gap or jump."""
    return (np.diff(frames) == 1) & ~find_jumps(points)


def refined(
    info: VideoInfo, shots: Sequence[Shot], progress: Callable[[int, int], None] = lambda done, total: None
) -> list[Shot]:
    """The shots, more precisely fitted. Their `residual_px` is still the distance from the detected landmarks.

    shots: of one video, none sharing a frame; those of a single frame are returned as they are.
    progress: called with frames done and their number, those of all rounds.
    """
    work = [shot for shot in shots if len(shot.frames) >= _FEWEST]
    now = work
    for turn in range(_ROUNDS):

        def told(done: int, total: int, before: int = turn) -> None:
            progress(before * total + done, _ROUNDS * total)

        looked = _looked(info, now, told)
        if not turn:
            now = [_fitted_again(shot, *seen) for shot, seen in zip(now, looked, strict=True)]
        now = [_offset(shot, *seen) for shot, seen in zip(now, looked, strict=True)]
    done = {id(shot): new for shot, new in zip(work, now, strict=True)}
    return [done.get(id(shot), shot) for shot in shots]


def _fitted_again(shot: Shot, found: Points, trust: Float) -> Shot:
    """Fitted to the landmarks as flow corrects them."""
    points, joined = followed(shot.points, found, trust), joined_frames(shot.frames, shot.points)
    return replace(shot, fitted=fit_frames(shot.subject, points, joined, evidence=shot.evidence))


def _offset(shot: Shot, found: Points, trust: Float) -> Shot:
    """With the offsets that the flow asks for, in place of those it had."""
    plain = replace(shot, fitted=shot.fitted.replace(dynamic_offset=None))
    offset = dynamic_offsets(plain, found, trust)
    return replace(shot, fitted=shot.fitted.replace(dynamic_offset=offset))


def _looked(info: VideoInfo, shots: Sequence[Shot], progress: Callable[[int, int], None]) -> list[tuple[Points, Float]]:
    """Where flow has the landmarks of every shot [N, 478, 2] px, and how far to trust that [N, 478]."""
    place = {int(frame): (s, row) for s, shot in enumerate(shots) for row, frame in enumerate(shot.frames)}
    anchors = _anchors(info, shots)
    found = [shot.points.copy() for shot in shots]
    trust = [np.zeros(p.shape[:2], np.float32) for p in found]
    done = 0
    for frame in read_frames(info):
        if frame.index in place:
            s, row = place[frame.index]
            found[s][row], trust[s][row] = anchors[s].found(row, frame.image)
            done += 1
            progress(done, len(place))
        if done == len(place):
            break
    return list(zip(found, trust, strict=True))


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
