# SPDX-License-Identifier: Apache-2.0
"""A performer's track, moved onto the person of a photo: one `HeadState` a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.head.arkit import ACTIONS
from reenact.head.gaze import with_gaze
from reenact.head.model import Float, HeadModel
from reenact.head.personal import personal_rig
from reenact.head.rig import Rig
from reenact.head.state import HeadState
from reenact.media import InputError
from reenact.tracking.coarse_track import CoarseTrack

from .gaze_motion import gaze_in_camera
from .head_motion import HeadPose, head_motion, head_rest_of, most_alike, translation_scale
from .motion_modes import (
    Mode,
    expression_motion,
    gaze_motion,
    gaze_rest_of,
    lower_bounds,
    rest_of,
    with_strengths,
)
from .selection import Strengths
from .visible import STRETCH, reader, resting, show, wanted_readings

# A shot shorter than this does not show how its performer rests; the whole clip then has to.
_SHORT_SHOT_FRAMES = 12


@dataclass(frozen=True)
class Receiver:
    """The photographed person, as they are in the photo."""

    rig: Rig
    state: HeadState
    size_m: float
    """Size of the face, in the measure of `CoarseTrack.face_size_m`."""


@dataclass(frozen=True)
class Rest:
    """What somebody's face does in a picture that stands for doing nothing."""

    expression: Float  # [52]
    gaze: Float  # [2, 2] radians
    R_cam_head: Float  # [3, 3]; where the head is in that picture says nothing of its place in the driving video


def retarget(
    model: HeadModel,
    track: CoarseTrack,
    receiver: Receiver,
    mode: Mode,
    strength: Mapping[str, float],
    neutral: int | Rest | None = None,
    *,
    same_camera: bool = False,
) -> list[HeadState]:
    """States of the photographed person, one per frame of `track`, in the photo's camera.

    Expression codes act on the receiver's own actions (see head/personal.py), as much as shows on the performer.
    neutral: how the driving person looks when they look like the photo, to count from: a row of `track`, for its shot,
    or another picture of them, each with its head pose; None: the fitted neutral and the pose most like the photo's
    (neutral mode), or how the driving person rests.
    same_camera: the source image is a picture of the driving person by the driving camera: in neutral and absolute
    mode the head is put exactly where it is in the driving video.
    Raises InputError for an unknown name in `strength`, a track of another head model, or no such row.
    """
    if isinstance(neutral, int) and not 0 <= neutral < len(track):
        raise InputError(
            f"{track.source} has {len(track)} frames; want --neutral from 0 to {len(track) - 1}, got {neutral}"
        )
    if track.head != model.name:
        raise InputError(f"{track.source} was tracked with the head {track.head}; want {model.name}: track it again")
    photo = receiver.state
    strengths = Strengths.of(strength)
    own, limits = reader(receiver.rig), receiver.rig.gaze_limits
    own_pose = HeadPose(photo.R_cam_head, photo.t_cam_head)
    states: list[HeadState] = []
    for shot in range(int(track.shot[-1]) + 1):
        rows = np.flatnonzero(track.shot == shot)
        if not len(rows):
            continue
        known = rows if len(rows) >= _SHORT_SHOT_FRAMES else np.arange(len(track))
        performer = reader(personal_rig(model, track.identity[shot]))
        driving_pose = HeadPose(track.R_cam_head[rows], track.t_cam_head[rows])
        given = neutral if isinstance(neutral, Rest) else None
        if isinstance(neutral, int) and track.shot[neutral] == shot:
            given = Rest(track.expression[neutral], track.gaze[neutral], track.R_cam_head[neutral])
            pose_rest = HeadPose(track.R_cam_head[neutral], track.t_cam_head[neutral])
        elif given is not None:
            named = HeadPose(given.R_cam_head, np.zeros(3))
            pose_rest = HeadPose(given.R_cam_head, most_alike(*driving_pose, named).t_cam_head)
        elif mode == "neutral":
            pose_rest = most_alike(*driving_pose, own_pose)
        else:
            pose_rest = head_rest_of(*driving_pose)
        rest, gaze_rest = np.zeros(len(ACTIONS)), photo.gaze
        if given is not None:
            rest, gaze_rest = given.expression.astype(np.float64), given.gaze
        elif mode != "neutral":
            rest = rest_of(track.expression[known])
            gaze_rest = gaze_rest_of(track.gaze[known], track.expression[known])
        exact = same_camera and mode != "relative"
        pose = head_motion(
            mode,
            driving_pose,
            own_pose if exact else pose_rest,
            own_pose,
            scale=1.0 if exact else translation_scale(float(track.face_size_m[shot]), receiver.size_m),
            strength=strengths.head,
        )
        if mode == "neutral" and given is None:  # as seen from the camera, which needs no reference
            driving_gaze = gaze_in_camera(track.gaze[rows], driving_pose, pose)
            gaze = gaze_motion("absolute", driving_gaze, photo.gaze, photo.gaze, strengths.gaze)
        else:
            gaze_mode: Mode = "absolute" if mode == "absolute" else "relative"
            gaze = gaze_motion(gaze_mode, track.gaze[rows], gaze_rest, photo.gaze, strengths.gaze)
        acted = with_gaze(track.expression[known], track.gaze[known], limits)
        expression = with_gaze(expression_motion(mode, track.expression[rows], rest, photo.expression), gaze, limits)
        if mode == "relative":
            start = with_gaze(photo.expression[None], photo.gaze[None], limits)[0]
            calm = performer.read(with_gaze(rest[None], gaze_rest[None], limits))[0]
            calm = calm if given is not None else resting(performer.read(acted), calm)
            shown = None
        else:  # both faces count from their neutral
            start, calm = np.zeros(len(ACTIONS)), performer.read(np.zeros(len(ACTIONS)))
            if mode == "neutral":  # of which a named frame knows better than the fit
                calm = performer.read(rest)
            shown = own.read(with_gaze(photo.expression[None], photo.gaze[None], limits))[0]
        seen = performer.read(with_gaze(track.expression[rows], track.gaze[rows], limits))
        wanted = wanted_readings(seen, calm, own.read(start), shown)
        expression = show(own, expression, start, wanted, lower_bounds())
        expression = with_strengths(expression, photo.expression, strengths.actions, STRETCH)
        scale = receiver.size_m / float(track.face_size_m[shot])
        dynamic = _dynamic(track, rows, known, neutral, scale * min(1.0, float(strengths.actions.min())))
        states += [
            HeadState(e.astype(np.float32), g.astype(np.float32), r.astype(np.float32), t.astype(np.float32), d)
            for e, g, r, t, d in zip(expression, gaze, pose.R_cam_head, pose.t_cam_head, dynamic, strict=True)
        ]
    return states


def _dynamic(
    track: CoarseTrack, rows: NDArray[np.intp], known: NDArray[np.intp], neutral: int | Rest | None, factor: float
) -> Sequence[Float | None]:
    """What frames `rows` do beyond the actions, [478, 3] metres each, counted from the neutral frame or the usual.

    There is no telling which action an offset belongs to: where any is held back, all offsets are.
    """
    if track.dynamic is None or factor == 0:
        return [None] * len(rows)
    if isinstance(neutral, int) and neutral in rows:
        calm = track.dynamic[neutral]
    else:
        calm = np.median(track.dynamic[known], axis=0)
    return list((factor * (track.dynamic[rows] - calm)).astype(np.float32))
