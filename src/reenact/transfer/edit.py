# SPDX-License-Identifier: Apache-2.0
"""Edits of a performance, frame by frame: pure functions from `CoarseTrack` to `CoarseTrack`, to be chained freely.

Curves are scaled, shifted and limited here, sides are swapped and pieces cut out; smoothing.py, timing.py and mixing.py
hold what looks across frames or at a second track. Who performed (identity, camera, placement) is kept by all of them.
What was seen beyond the actions (`dynamic`) belongs to them, and goes when they are edited or mirrored. Parts are named
as selection.py says. Everything that is counted from a rest is so shot by shot, as `animate` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from reenact.head import arkit
from reenact.media.errors import InputError
from reenact.tracking.coarse_track import CoarseTrack, Float

from .head_motion import HeadPose, head_motion, head_rest_of
from .motion_modes import GAZE_BOUND, gaze_rest_of
from .selection import selected

_BOUNDS = arkit.action_bounds()
_ACROSS = np.diag([-1.0, 1.0, 1.0])  # mirrors x, of the camera as of the head


def scale(track: CoarseTrack, what: str, factor: float) -> CoarseTrack:
    """Multiply the motion of one part; 1 changes nothing, 0 is still.

    Actions are multiplied, and stay within [0, `action_bounds()`]. The gaze is scaled about where each eye rests
    (`gaze_rest_of`, radians), within `GAZE_BOUND` or what it has been. The head is scaled about its resting pose
    (`head_rest_of`): the turn along the geodesic, the place along the line, in metres.

    Raises InputError for an unknown `what`, or a factor that is no number of at least 0.
    """
    part = selected(what)
    if not (np.isfinite(factor) and factor >= 0):
        raise InputError(f"{what} cannot be scaled by {factor:g}; want a number of at least 0")
    if factor == 1:
        return track
    out = _with_codes(track, part.actions, track.expression * np.float32(factor))
    for rows in shots(track):
        if part.gaze:
            own = track.gaze[rows].astype(np.float64)
            rest = gaze_rest_of(own, track.expression[rows])
            bound = np.maximum(GAZE_BOUND, np.abs(own))
            out.gaze[rows] = np.clip(rest + factor * (own - rest), -bound, bound)
        if part.head:
            pose = HeadPose(track.R_cam_head[rows], track.t_cam_head[rows])
            rest = head_rest_of(*pose)
            moved = head_motion("relative", pose, rest, rest, scale=1.0, strength=factor)
            out.R_cam_head[rows], out.t_cam_head[rows] = moved
    return out


def offset(track: CoarseTrack, what: str, amount: float) -> CoarseTrack:
    """Add `amount`, an activation, to some actions, within [0, `action_bounds()`]; `all` leaves gaze and head alone.

    Raises InputError for an unknown `what`, for gaze and head, which no one number moves, and for no finite number.
    """
    mask = _actions(what, "shifted")
    if not np.isfinite(amount):
        raise InputError(f"{what} cannot be shifted by {amount}; want a number")
    return track if amount == 0 else _with_codes(track, mask, track.expression + np.float32(amount))


def clamp(track: CoarseTrack, what: str, low: float, high: float) -> CoarseTrack:
    """Hold some actions within the activations [low, high]; `all` leaves gaze and head alone.

    Raises InputError for an unknown `what`, for gaze and head, and unless 0 <= low <= high.
    """
    mask = _actions(what, "clamped")
    if not 0 <= low <= high < np.inf:
        raise InputError(f"{what} cannot be clamped to {low:g}:{high:g}; want two numbers from 0 on, the smaller first")
    return _with_codes(track, mask, np.clip(track.expression, np.float32(low), np.float32(high)))


def mirror(track: CoarseTrack) -> CoarseTrack:
    """Left and right swapped, as in a mirror: actions, gaze, head pose. Mirroring twice gives the same track again.

    The pose is that of the picture flipped left to right: with M = diag(-1, 1, 1) both in the camera's and in the
    head's axes, R' = M R M and t' = M t. Identity and placement are kept, so it is the same person who now smiles with
    the other side.
    """
    gaze = track.gaze[:, ::-1].copy()  # the other eye
    gaze[:, :, 0] *= -1  # yaw
    return replace(
        track,
        expression=np.ascontiguousarray(track.expression[:, _OTHER_SIDE]),
        gaze=gaze,
        R_cam_head=(_ACROSS @ track.R_cam_head @ _ACROSS).astype(np.float32),
        t_cam_head=(track.t_cam_head @ _ACROSS).astype(np.float32),
        dynamic=None,
    )


def cut(track: CoarseTrack, start: int | None, end: int | None) -> CoarseTrack:
    """The frames from `start` up to, not including, `end`, counted in rows from 0; None: from the first, to the last.

    Shots of which nothing is left go, with their identity and camera. `frame` still says where in the source each
    frame was. Raises InputError unless 0 <= start < end <= the number of frames.
    """
    first, last = 0 if start is None else start, len(track) if end is None else end
    if not 0 <= first < last <= len(track):
        raise InputError(
            f"{track.source} has {len(track)} frames and cannot be cut to {first}:{last}; want the first frame and the "
            f"one after the last, with 0 <= first < end <= {len(track)}"
        )
    rows = np.zeros(len(track), bool)
    rows[first:last] = True
    return without_empty_shots(track.select(rows))


def without_empty_shots(track: CoarseTrack) -> CoarseTrack:
    """Drop identities and cameras that no frame uses, and count the shots from 0 again."""
    used, shot = np.unique(track.shot, return_inverse=True)
    return replace(
        track,
        shot=shot.astype(np.int32),
        identity=track.identity[used],
        focal_px=track.focal_px[used],
        face_size_m=track.face_size_m[used],
        placement=track.placement[used],
    )


def shots(track: CoarseTrack) -> Iterator[slice]:
    """The rows of each shot that has frames, in order."""
    edges = [0, *(np.flatnonzero(np.diff(track.shot)) + 1).tolist(), len(track)]
    return (slice(start, end) for start, end in pairwise(edges))


def _other_side(action: str) -> int:
    if "Left" in action:
        return arkit.index(action.replace("Left", "Right"))
    return arkit.index(action.replace("Right", "Left"))


_OTHER_SIDE = np.asarray([_other_side(action) for action in arkit.ACTIONS])


def _actions(what: str, done: str) -> NDArray[np.bool_]:
    """[52] actions that `what` means."""
    mask = selected(what).actions
    if not mask.any():
        raise InputError(f"{what} is no activation and cannot be {done}; want an action, a region of them, or all")
    return mask


def _with_codes(track: CoarseTrack, mask: NDArray[np.bool_], codes: Float) -> CoarseTrack:
    """A copy whose per-frame arrays may be written to, with the actions in [52] `mask` from [F, 52] `codes`."""
    expression = track.expression.copy()
    expression[:, mask] = np.clip(codes[:, mask], 0.0, _BOUNDS[mask])
    return replace(
        track,
        expression=expression,
        gaze=track.gaze.copy(),
        R_cam_head=track.R_cam_head.copy(),
        t_cam_head=track.t_cam_head.copy(),
        dynamic=None if mask.any() else track.dynamic,
    )
