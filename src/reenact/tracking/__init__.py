# SPDX-License-Identifier: Apache-2.0
"""Pixels -> landmarks -> `CoarseTrack`: identity, camera, and per frame pose, expression and gaze."""

from reenact.perception import detect_faces

from .coarse_track import CoarseTrack, load_motion, save_motion
from .fit import Performance, Person, fit_frames, fit_person, same_shape, seen_again, tracked_person
from .still import track_image
from .track import CutsPolicy, LostPolicy, Refinement, find_face, track_video

__all__ = [
    "CoarseTrack",
    "CutsPolicy",
    "LostPolicy",
    "Performance",
    "Person",
    "Refinement",
    "detect_faces",
    "find_face",
    "fit_frames",
    "fit_person",
    "load_motion",
    "same_shape",
    "save_motion",
    "seen_again",
    "track_image",
    "track_video",
    "tracked_person",
]
