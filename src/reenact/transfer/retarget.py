# SPDX-License-Identifier: Apache-2.0
"""A performer's track, moved onto the person of a photo: one `HeadState` a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from reenact.heads.arkit import ACTIONS
from reenact.heads.gaze import with_gaze
from reenact.heads.model import HeadModel
from reenact.heads.personal import personal_rig
from reenact.heads.rig import Rig
from reenact.heads.state import HeadState
from reenact.media import InputError
from reenact.tracking.coarse_track import CoarseTrack

from .head_motion import HeadPose, head_motion, head_rest_of, translation_scale
from .motion_modes import (
    Mode,
    complete_strengths,
    expression_motion,
    gaze_motion,
    gaze_rest_of,
    lower_bounds,
    rest_of,
    with_strengths,
)
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


def retarget(
    model: HeadModel,
    track: CoarseTrack,
    receiver: Receiver,
    mode: Mode,
    strength: Mapping[str, float],
    neutral: int | None = None,
) -> list[HeadState]:
    """States of the photographed person, one per frame of `track`, in the photo's camera.

    Expression codes act on the receiver's own actions (see heads/personal.py), as much as shows on the performer.
    neutral: row of `track` that looks like the photo, to count from in its shot; None: from how the performer rests.
    Raises InputError for an unknown region in `strength`, a track of another head model, or no such row.
    """
    if neutral is not None and not 0 <= neutral < len(track):
        raise InputError(
            f"{track.source} has {len(track)} frames; want --neutral from 0 to {len(track) - 1}, got {neutral}"
        )
    if track.head != model.name:
        raise InputError(f"{track.source} was tracked with the head {track.head}; want {model.name}: track it again")
    photo = receiver.state
    strengths = complete_strengths(strength)
    own, limits = reader(receiver.rig), receiver.rig.gaze_limits
    own_pose = HeadPose(photo.R_cam_head, photo.t_cam_head)
    states: list[HeadState] = []
    for shot in range(int(track.shot[-1]) + 1):
        rows = np.flatnonzero(track.shot == shot)
        if not len(rows):
            continue
        known = rows if len(rows) >= _SHORT_SHOT_FRAMES else np.arange(len(track))
        performer = reader(personal_rig(model, track.identity[shot]))
        given = neutral if neutral is not None and track.shot[neutral] == shot else None
        if given is None:
            rest = rest_of(track.expression[known])
            gaze_rest = gaze_rest_of(track.gaze[known], track.expression[known])
            pose_rest = head_rest_of(track.R_cam_head[rows], track.t_cam_head[rows])
        else:
            rest, gaze_rest = track.expression[given].astype(np.float64), track.gaze[given]
            pose_rest = HeadPose(track.R_cam_head[given], track.t_cam_head[given])
        gaze = gaze_motion(mode, track.gaze[rows], gaze_rest, photo.gaze, strengths["gaze"])
        acted = with_gaze(track.expression[known], track.gaze[known], limits)
        expression = with_gaze(expression_motion(mode, track.expression[rows], rest, photo.expression), gaze, limits)
        if mode == "relative":
            start = with_gaze(photo.expression[None], photo.gaze[None], limits)[0]
            calm = performer.read(with_gaze(rest[None], gaze_rest[None], limits))[0]
            calm = calm if given is not None else resting(performer.read(acted), calm)
            shown = None
        else:  # both faces count from their neutral
            start, calm = np.zeros(len(ACTIONS)), performer.read(np.zeros(len(ACTIONS)))
            shown = own.read(with_gaze(photo.expression[None], photo.gaze[None], limits))[0]
        seen = performer.read(with_gaze(track.expression[rows], track.gaze[rows], limits))
        wanted = wanted_readings(seen, calm, own.read(start), shown)
        expression = show(own, expression, start, wanted, lower_bounds())
        expression = with_strengths(expression, photo.expression, strengths, STRETCH)
        pose = head_motion(
            mode,
            HeadPose(track.R_cam_head[rows], track.t_cam_head[rows]),
            pose_rest,
            own_pose,
            scale=translation_scale(float(track.face_size_m[shot]), receiver.size_m),
            strength=strengths["head"],
        )
        states += [
            HeadState(e.astype(np.float32), g.astype(np.float32), r.astype(np.float32), t.astype(np.float32))
            for e, g, r, t in zip(expression, gaze, pose.R_cam_head, pose.t_cam_head, strict=True)
        ]
    return states
