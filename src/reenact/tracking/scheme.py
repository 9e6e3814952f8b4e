# SPDX-License-Identifier: Apache-2.0
"""What the fit needs to know of the landmarks: which points matter to a viewer, which pairs are gaps."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor

from reenact.head.landmarks import (
    EYE_CORNERS,
    FACE_OVAL,
    IRIS,
    LANDMARKS,
    LEFT_BROW,
    LEFT_LIDS,
    LIPS,
    RIGHT_BROW,
    RIGHT_LIDS,
)

# (upper, lower) pairs whose distance the viewer reads: is the mouth shut, is the eye shut.
LIP_GAPS: Final = ((81, 178), (82, 87), (13, 14), (312, 317), (311, 402), (80, 88), (310, 318))
LEFT_LID_GAPS: Final = ((385, 380), (386, 374), (387, 373))
RIGHT_LID_GAPS: Final = ((158, 153), (159, 145), (160, 144))
# (brow, eye corner or lid-free point below it): brow height is read against the eye, not against the skull.
LEFT_BROW_HEIGHTS: Final = ((334, 263), (296, 362), (293, 263), (336, 362), (300, 263))
RIGHT_BROW_HEIGHTS: Final = ((105, 33), (66, 133), (63, 33), (107, 133), (70, 33))
# Width of the mouth, and its corners' height against the base of the nose: smiles and pouts.
MOUTH_SPANS: Final = ((61, 291), (78, 308), (61, 2), (291, 2), (17, 2), (0, 2))

DIFFERENCES: Final = torch.tensor(
    (*MOUTH_SPANS, *LIP_GAPS, *LEFT_LID_GAPS, *RIGHT_LID_GAPS, *LEFT_BROW_HEIGHTS, *RIGHT_BROW_HEIGHTS)
)


def point_weights() -> Tensor:
    """[478] weight of each point's squared residual."""
    w = torch.ones(LANDMARKS)
    w[list(FACE_OVAL)] = 0.15
    w[list(LIPS)] = 3.0
    w[[*RIGHT_LIDS, *LEFT_LIDS]] = 3.0
    w[[*RIGHT_BROW, *LEFT_BROW]] = 3.0
    for eye in IRIS:
        w[eye[0]] = 8.0
        w[list(eye[1:])] = 1.0
    return w


def difference_weights() -> Tensor:
    """[D] weight of the squared residual of each pair in `DIFFERENCES`."""
    weights = (
        (25.0, MOUTH_SPANS),
        (50.0, LIP_GAPS),
        (30.0, (*LEFT_LID_GAPS, *RIGHT_LID_GAPS)),
        (30.0, (*LEFT_BROW_HEIGHTS, *RIGHT_BROW_HEIGHTS)),
    )
    return torch.cat([torch.full((len(pairs),), weight) for weight, pairs in weights])


def eye_openness(points: np.ndarray) -> np.ndarray:
    """[F, 478, 2] px -> [F, 2] lid gap over eye width (left, right); about 0.3 open, under 0.12 shut."""
    out = []
    for gaps, (inner, outer) in ((LEFT_LID_GAPS, EYE_CORNERS[0]), (RIGHT_LID_GAPS, EYE_CORNERS[1])):
        gap = np.mean([np.linalg.norm(points[:, a] - points[:, b], axis=-1) for a, b in gaps], axis=0)
        out.append(gap / np.maximum(np.linalg.norm(points[:, inner] - points[:, outer], axis=-1), 1e-6))
    return np.stack(out, axis=1)
