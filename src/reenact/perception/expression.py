# SPDX-License-Identifier: Apache-2.0
"""What a picture says of a face's expression: the sources of evidence, run and fused."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

import numpy as np

from .blendshapes import blendshape_evidence
from .evidence import ExpressionEvidence, fuse
from .landmark_network import FaceLandmarks
from .pixels import WEIGHTS, pixel_expression

Source = Literal["blendshapes", "pixels"]


class ExpressionObserver:
    """Look at one face after another."""

    def __init__(self, sources: Collection[Source] = ("blendshapes", "pixels"), weights: Path = WEIGHTS) -> None:
        """Choose what to ask.

        sources: of the evidence; the expression network (pixels) also gives pose and distance.
        weights: of the expression network, the shipped ones or others to compare with them.
        """
        self._sources = sources
        self._pixels = pixel_expression(weights) if "pixels" in sources else None

    def __call__(self, image: np.ndarray, face: FaceLandmarks) -> ExpressionEvidence:
        """Return the evidence (F = 1) about a face found in a picture [H, W, 3] uint8 sRGB."""
        found = []
        if "blendshapes" in self._sources:
            found.append(blendshape_evidence(face.blendshapes[None]))
        if self._pixels is not None:
            found.append(self._pixels(image, face.points))
        return fuse(found)
