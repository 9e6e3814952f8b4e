# SPDX-License-Identifier: Apache-2.0
"""What looks at pixels with a network: faces, landmarks, blendshape scores, the mask of the person, the tongue."""

from .evidence import ExpressionEvidence
from .expression import ExpressionObserver
from .landmark_network import FaceLandmarks
from .landmarks import VideoLandmarks, detect_faces
from .person_mask import person_mask
from .tongue import tongue_out

__all__ = [
    "ExpressionEvidence",
    "ExpressionObserver",
    "FaceLandmarks",
    "VideoLandmarks",
    "detect_faces",
    "person_mask",
    "tongue_out",
]
