# SPDX-License-Identifier: Apache-2.0
"""What looks at pixels with a network: faces, landmarks, blendshape scores, the mask of the person, the tongue.

Names are imported when they are first used: training reads the networks here on machines without mediapipe and OpenCV.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .evidence import ExpressionEvidence
    from .expression import ExpressionObserver
    from .landmark_network import FaceLandmarks
    from .landmarks import VideoLandmarks, detect_faces
    from .tongue import tongue_out

__all__ = [
    "ExpressionEvidence",
    "ExpressionObserver",
    "FaceLandmarks",
    "VideoLandmarks",
    "detect_faces",
    "tongue_out",
]

_HOMES = {
    "ExpressionEvidence": "evidence",
    "ExpressionObserver": "expression",
    "FaceLandmarks": "landmark_network",
    "VideoLandmarks": "landmarks",
    "detect_faces": "landmarks",
    "tongue_out": "tongue",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
