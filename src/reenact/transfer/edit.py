# SPDX-License-Identifier: Apache-2.0
"""Edits of a motion, frame by frame: pure functions from `Motion` to `Motion`, to be chained freely.

Curves are scaled, shifted and limited here, sides are swapped, pieces cut out, and regions taken from a second motion;
smoothing.py and timing.py hold what looks across frames. Who performed (identity, camera, placement) is kept by all of
them. Dynamic offsets belong to the actions, and go when these are edited or mirrored. Parts are named as selection.py
says. Everything that is counted from a rest is so shot by shot, as `animate` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.head import arkit
from reenact.head.motion import Motion
from reenact.media.errors import InputError

from .head_motion import HeadPose, head_motion, head_rest_of, translation_scale
from .motion_modes import GAZE_BOUND, STRENGTHS, gaze_rest_of
from .selection import selected
from .timing import sampled

_BOUNDS = torch.from_numpy(arkit.action_bounds())
_ACROSS = torch.tensor([-1.0, 1.0, 1.0])  # mirrors x, of the camera as of the head


def scale(motion: Motion, what: str, factor: float) -> Motion:
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
        return motion
    out = _with_codes(motion, part.actions, motion.expression * factor)
    moved = []
    for rows in motion.shots():
        shot = out[rows]
        if part.gaze:
            own = shot.gaze.double().numpy()
            rest = gaze_rest_of(own, motion.expression[rows].numpy())
            bound = np.maximum(GAZE_BOUND, np.abs(own))
            shot = shot.replace(gaze=np.clip(rest + factor * (own - rest), -bound, bound))
        if part.head:
            pose = HeadPose(shot.rotation.numpy(), shot.translation.numpy())
            rest = head_rest_of(*pose)
            rotation, translation = head_motion("relative", pose, rest, rest, scale=1.0, strength=factor)
            shot = shot.replace(rotation=rotation, translation=translation)
        moved.append(shot)
    return Motion.joined(moved).replace(clip=motion.clip)


def offset(motion: Motion, what: str, amount: float) -> Motion:
    """Add `amount`, an activation, to some actions, within [0, `action_bounds()`]; `all` leaves gaze and head alone.

    Raises InputError for an unknown `what`, for gaze and head, which no one number moves, and for no finite number.
    """
    mask = _actions(what, "shifted")
    if not np.isfinite(amount):
        raise InputError(f"{what} cannot be shifted by {amount}; want a number")
    return motion if amount == 0 else _with_codes(motion, mask, motion.expression + amount)


def clamp(motion: Motion, what: str, low: float, high: float) -> Motion:
    """Hold some actions within the activations [low, high]; `all` leaves gaze and head alone.

    Raises InputError for an unknown `what`, for gaze and head, and unless 0 <= low <= high.
    """
    mask = _actions(what, "clamped")
    if not 0 <= low <= high < np.inf:
        raise InputError(f"{what} cannot be clamped to {low:g}:{high:g}; want two numbers from 0 on, the smaller first")
    return _with_codes(motion, mask, motion.expression.clamp(low, high))


def mirror(motion: Motion) -> Motion:
    """Swap left and right, as in a mirror: actions, gaze, head pose. Mirroring twice gives the same motion again.

    The pose is that of the picture flipped left to right: with M = diag(-1, 1, 1) both in the camera's and in the
    head's axes, R' = M R M and t' = M t. Identity and placement are kept, so it is the same person who now smiles with
    the other side.
    """
    return motion.replace(
        expression=motion.expression[:, list(arkit.OTHER_SIDE)],
        gaze=motion.gaze.flip(1) * torch.tensor([-1.0, 1.0]),  # the other eye, the other yaw
        rotation=_ACROSS[:, None] * motion.rotation * _ACROSS,
        translation=motion.translation * _ACROSS,
        landmark_offset=None,
        dynamic_offset=None,
    )


def cut(motion: Motion, start: int | None, end: int | None) -> Motion:
    """The frames from `start` up to, not including, `end`, counted in rows from 0; None: from the first, to the last.

    Shots of which nothing is left go, with their identity and camera. `frame` still says where in the source each
    frame was. Raises InputError unless 0 <= start < end <= the number of frames.
    """
    first, last = 0 if start is None else start, len(motion) if end is None else end
    if not 0 <= first < last <= len(motion):
        raise InputError(
            f"{motion.source} has {len(motion)} frames and cannot be cut to {first}:{last}; want the first frame and "
            f"the one after the last, with 0 <= first < end <= {len(motion)}"
        )
    piece = motion[first:last]
    return piece if piece.clip is None else piece.replace(clip=piece.clip.without_empty_shots())


def _actions(what: str, done: str) -> NDArray[np.bool_]:
    """[52] actions that `what` means."""
    mask = selected(what).actions
    if not mask.any():
        raise InputError(f"{what} is no activation and cannot be {done}; want an action, a region of them, or all")
    return mask


def _with_codes(motion: Motion, mask: NDArray[np.bool_], codes: Tensor) -> Motion:
    """Replace the actions in [52] `mask` by [F, 52] `codes`."""
    if not mask.any():
        return motion
    bounded = codes.clamp(min=0.0).minimum(_BOUNDS)
    return motion.replace(
        expression=torch.where(torch.from_numpy(mask), bounded, motion.expression),
        landmark_offset=None,
        dynamic_offset=None,
    )


def mix(a: Motion, b: Motion, regions: Sequence[str]) -> Motion:
    """The motion `a` with some regions of `b`: eyes, brows, mouth, jaw, gaze, head.

    Both start together. `b` is read at a's frames per second; what of it is longer than `a` is cut off, and where it is
    shorter its last frame is held. Codes and gaze are taken as they are. The head moves from a's resting pose as b's
    does from b's, turned about the camera's axes and as far in sizes of the face (`translation_scale`), each shot with
    its own rest. Everything else, shots included, is a's; a frame counts as seen where it was in both.

    Raises InputError if no region or an unknown one is given, or the tracks are of different head models.
    """
    unknown = [region for region in regions if region not in STRENGTHS]
    if unknown or not regions:
        found = f"there is no region {unknown[0]} to mix in" if unknown else "no region to mix in was given"
        raise InputError(f"{found}; want some of {', '.join(STRENGTHS)}")
    first, second = a.require_clip(), b.require_clip()
    if first.head != second.head:
        raise InputError(
            f"{first.source} was tracked with the head {first.head} and {second.source} with {second.head}; want both "
            "with the same"
        )
    moments = np.arange(len(a)) * float(b.fps / a.fps)
    other = sampled(b, np.minimum(moments, len(b) - 1))
    taken = torch.tensor([arkit.region_of(action) in regions for action in arkit.ACTIONS])
    out = a.replace(
        expression=torch.where(taken, other.expression, a.expression),
        gaze=other.gaze if "gaze" in regions else a.gaze,
        landmark_offset=None if taken.any() else a.landmark_offset,
        dynamic_offset=None if taken.any() else a.dynamic_offset,
        clip=replace(first, seen=first.seen & other.require_clip().seen),
    )
    return _with_head(out, b, other) if "head" in regions else out


def _with_head(a: Motion, b: Motion, other: Motion) -> Motion:
    """`a` with the head motion of `other`, which is `b` at a's moments."""
    ours, theirs, shots = a.require_clip(), b.require_clip(), other.require_clip().shot
    rests = {int(theirs.shot[rows.start]): head_rest_of(*_poses(b[rows])) for rows in b.shots()}
    rotation, place = a.rotation.numpy().copy(), a.translation.numpy().copy()
    for own in a.shots():
        rest, size = head_rest_of(*_poses(a[own])), float(ours.face_size_m[int(ours.shot[own.start])])
        for shot in shots[own].unique().tolist():
            rows = own.start + np.flatnonzero(shots[own].numpy() == shot)
            scale = translation_scale(float(theirs.face_size_m[shot]), size)
            moved = head_motion("relative", _poses(other[rows]), rests[shot], rest, scale=scale, strength=1.0)
            rotation[rows], place[rows] = moved
    return a.replace(rotation=rotation, translation=place)


def _poses(motion: Motion) -> HeadPose:
    return HeadPose(motion.rotation.numpy(), motion.translation.numpy())
