# SPDX-License-Identifier: Apache-2.0
"""One performance out of two: somebody's mouth, somebody else's head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from reenact.head import arkit
from reenact.head.motion import Motion
from reenact.media.errors import InputError

from .head_motion import HeadPose, head_motion, head_rest_of, translation_scale
from .motion_modes import STRENGTHS
from .timing import sampled


def mix(a: Motion, b: Motion, regions: Sequence[str]) -> Motion:
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
    first, second = a.require_clip(), b.require_clip()
    if first.head != second.head:
        raise InputError(
            f"{first.source} was tracked with the head {first.head} and {second.source} with {second.head}; want both "
            "with the same"
        )
    moments = np.arange(len(a)) * float(b.fps / a.fps)
    other = sampled(b, np.minimum(moments, len(b) - 1))
    taken = np.isin([arkit.region_of(action) for action in arkit.ACTIONS], list(regions))
    out = a.replace(
        expression=torch.where(torch.from_numpy(taken), other.expression, a.expression),
        gaze=other.gaze if "gaze" in regions else a.gaze,
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
