# SPDX-License-Identifier: Apache-2.0
"""Pixels -> landmarks -> `Motion`: identity, camera, and per frame pose, expression and gaze."""

from reenact.perception import detect_faces

from .fit import Person, clip_of, fit_frames, fit_person, same_shape, seen_again, tracked_person
from .motion_file import load_motion, save_motion
from .still import track_image
from .track import CutsPolicy, LostPolicy, Refinement, find_face, track_video

__all__ = [
    "CutsPolicy",
    "LostPolicy",
    "Person",
    "Refinement",
    "clip_of",
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
