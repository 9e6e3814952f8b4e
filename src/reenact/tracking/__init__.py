# SPDX-License-Identifier: Apache-2.0
"""Pixels -> landmarks -> `Motion` and a coarse `Subject`: identity, camera, and per frame pose, expression and gaze."""

from reenact.media.progress import Progress, silent
from reenact.perception import detect_faces

from .detect import CutsPolicy, find_face
from .fit import clip_of, fit_frames, fit_identity, in_pictures, same_shape, tracked_subject
from .motion_file import load_motion, save_motion
from .tracker import LostPolicy, Pictures, Refinement, Track, TrackOptions, track

__all__ = [
    "CutsPolicy",
    "LostPolicy",
    "Pictures",
    "Progress",
    "Refinement",
    "Track",
    "TrackOptions",
    "clip_of",
    "detect_faces",
    "find_face",
    "fit_frames",
    "fit_identity",
    "in_pictures",
    "load_motion",
    "same_shape",
    "save_motion",
    "silent",
    "track",
    "tracked_subject",
]
