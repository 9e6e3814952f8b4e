# SPDX-License-Identifier: Apache-2.0
"""What a picture says of a face's expression: the sources of evidence, run and fused."""

from __future__ import annotations

import numpy as np

from .blendshapes import blendshape_evidence
from .evidence import ExpressionEvidence
from .landmark_network import FaceLandmarks


class ExpressionObserver:
    """Look at one face after another."""

    def __call__(self, image: np.ndarray, face: FaceLandmarks) -> ExpressionEvidence:
        """Return the evidence (F = 1) about a face found in a picture [H, W, 3] uint8 sRGB."""
        return blendshape_evidence(face.blendshapes[None])
