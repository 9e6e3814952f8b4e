# SPDX-License-Identifier: Apache-2.0
"""One performance out of two: somebody's mouth, somebody else's head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reenact.head import arkit
from reenact.media.errors import InputError
from reenact.tracking.coarse_track import CoarseTrack

from .edit import shots
from .head_motion import HeadPose, head_motion, head_rest_of, translation_scale
from .motion_modes import STRENGTHS
from .timing import sampled


def mix(a: CoarseTrack, b: CoarseTrack, regions: Sequence[str]) -> CoarseTrack:
    """The performance `a` with some regions of `b`: eyes, brows, mouth, jaw, gaze, head.

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
    if a.head != b.head:
        raise InputError(
            f"{a.source} was tracked with the head {a.head} and {b.source} with {b.head}; want both with the same"
        )
    moments = np.arange(len(a)) * float(b.fps / a.fps)
    other = sampled(b, np.minimum(moments, len(b) - 1))
    taken = np.isin([arkit.region_of(action) for action in arkit.ACTIONS], list(regions))
    out = replace(
        a,
        expression=np.where(taken, other.expression, a.expression),
        gaze=other.gaze if "gaze" in regions else a.gaze,
        seen=a.seen & other.seen,
        dynamic=None if taken.any() else a.dynamic,
    )
    return _with_head(out, b, other) if "head" in regions else out


def _with_head(a: CoarseTrack, b: CoarseTrack, other: CoarseTrack) -> CoarseTrack:
    """`a` with the head motion of `other`, which is `b` at a's moments."""
    rotation, place = a.R_cam_head.copy(), a.t_cam_head.copy()
    rests = {int(b.shot[rows.start]): head_rest_of(b.R_cam_head[rows], b.t_cam_head[rows]) for rows in shots(b)}
    for own in shots(a):
        rest = head_rest_of(a.R_cam_head[own], a.t_cam_head[own])
        for shot in np.unique(other.shot[own]).tolist():
            rows = own.start + np.flatnonzero(other.shot[own] == shot)
            moved = head_motion(
                "relative",
                HeadPose(other.R_cam_head[rows], other.t_cam_head[rows]),
                rests[shot],
                rest,
                scale=translation_scale(float(b.face_size_m[shot]), float(a.face_size_m[a.shot[own.start]])),
                strength=1.0,
            )
            rotation[rows], place[rows] = moved
    return replace(a, R_cam_head=rotation, t_cam_head=place)
