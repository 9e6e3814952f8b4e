# SPDX-License-Identifier: Apache-2.0
"""What looks at pixels with a network: faces, landmarks, blendshape scores, the mask of the person, the tongue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reenact.media.lazy import lazy_names

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

__getattr__ = lazy_names(
    __name__,
    {
        "ExpressionEvidence": "evidence",
        "ExpressionObserver": "expression",
        "FaceLandmarks": "landmark_network",
        "VideoLandmarks": "landmarks",
        "detect_faces": "landmarks",
        "tongue_out": "tongue",
    },
)
