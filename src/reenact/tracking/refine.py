# SPDX-License-Identifier: Apache-2.0
"""Fitted shots, fitted once more to landmarks that the video's own pixels have corrected (flow.py).

This happens twice: what is left of the movement once the head has been fitted and offset is smaller, and so better
found. The pictures are decoded again for each round, as streams: up to the last anchor, then all of them. None but the
current is held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from reenact.head.landmarks import FACE_LANDMARKS, INNER_LIPS, IRIS, LEFT_LIDS, OUTER_LIPS, RIGHT_LIDS
from reenact.head.mesh import rms_radius
from reenact.media import VideoInfo, read_frames

from .fit import Points, fit_frames
from .flow import Anchor, Shot, followed


def find_jumps(points: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Find jumps within a shot: some time left out of the same scene, or the detector changing its mind.

    Pixels cannot tell a small jump cut from a quick turn of the head, and landmarks alone cannot either: at the limit
    they look alike. So a jump starts no new shot, which would cost the fitted subject; it only ends the smoothing over
    time, which would smear the jump over its neighbours, and which a quick turn taken for a jump hardly misses.
    Of 19,000 steps in 83 clips 27 are as large, and as unlike their neighbours; among them every jump known.

    Args:
        points: [F, 478, 2] px of consecutive frames.

    Returns:
        [F - 1] whether the face jumps from frame i to i + 1.
    """
    face = points[:, :FACE_LANDMARKS]
    step = np.diff(face, axis=0) / rms_radius(face)[1:, None, None]
    length = _rms(step)
    unlike = np.full(len(step), np.inf)
    nearby = np.zeros(len(step))
    for shift in range(1, min(7, len(step))):  # steps to either side
        for here, there in ((slice(shift, None), slice(None, -shift)), (slice(None, -shift), slice(shift, None))):
            nearby[here] = np.maximum(nearby[here], length[there])
            if shift <= 2:  # a quick motion goes on, or went on, for one of so many steps
                unlike[here] = np.minimum(unlike[here], _rms(step[here] - step[there]))
    # In face sizes; 0.004 of it from frame to frame are noise.
    return (unlike > 0.08) & (unlike > 1.4 * (nearby + 0.004)) & np.isfinite(unlike)


def _rms(step: np.ndarray) -> np.ndarray:
    """[N, L, 2] -> [N]."""
    return np.sqrt((step**2).sum(axis=2).mean(axis=1))


Float = NDArray[np.float32]
_ROUNDS: Final = 2  # the first corrects the fit and finds offsets, the second finds them again


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
    work = [shot for shot in shots if len(shot.frames) >= 2]
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
    plain = replace(shot, fitted=shot.fitted.replace(landmark_offset=None))
    offset = landmark_offsets(plain, found, trust)
    return replace(shot, fitted=shot.fitted.replace(landmark_offset=offset))


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


Float = NDArray[np.float32]


def landmark_offsets(shot: Shot, found: Points, trust: Float) -> Float:
    """Find the landmarks' offsets: [N, 478, 3] metres in head space, apart from their median over the shot.

    Fitted to landmarks that the video's pixels have corrected (flow.py), a head still leaves something over: no sum of
    actions makes this very cheek, and a pose is off by what the shape is off. How far the pixels are from the fit is
    kept, within the picture plane, where they say anything.

    shot: as fitted, without offsets. found: [N, 478, 2] px where flow has the landmarks. trust: [N, 478] 0 to 1; where
    it is 0, nothing is offset. Eyes and the inner lips open and close by their actions alone: they are
    carried along by the skin around them.
    """
    away = found - shot.predicted
    away -= np.median(away, axis=0)
    away *= trust[..., None]
    offsets = np.concatenate([_in_head(shot, away[rows], rows) for rows in shot.parts()])
    gaussian_filter1d(offsets, 0.4, axis=0, mode="nearest", output=offsets)
    return offsets


def _in_head(shot: Shot, away: Float, rows: slice) -> Float:
    """Ways [R, 478, 2] px in the pictures of some frames as [R, 478, 3] metres in head space."""
    depth = shot.depth(rows)[..., None]
    in_camera = np.concatenate([away * depth / shot.subject.camera.focal_px, np.zeros_like(depth)], axis=2)
    offsets = in_camera @ shot.fitted.rotation[rows].numpy()  # R^T v, row by row
    for lids, iris in zip((LEFT_LIDS, RIGHT_LIDS), IRIS, strict=True):
        offsets[:, [*lids, *iris]] = offsets[:, list(lids)].mean(axis=1, keepdims=True)
    offsets[:, list(INNER_LIPS)] = offsets[:, list(OUTER_LIPS)].mean(axis=1, keepdims=True)
    length = np.linalg.norm(offsets, axis=-1, keepdims=True)
    # Longer ones are shortened to come near 5 mm: no skin slips so far, a wrong match does.
    return (offsets / np.sqrt(1.0 + (length / 0.005) ** 2)).astype(np.float32)
