# SPDX-License-Identifier: Apache-2.0
"""The blendshape network's scores as expression evidence."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from reenact.heads.arkit import ACTIONS

from .evidence import ExpressionEvidence

_BLIND: Final = ("noseSneer", "cheekPuff", "cheekSquint", "tongueOut", "eyeLook")
_SIGMA: Final = 0.15
_LOOSE_SIGMA: Final = 0.4  # of what landmarks say better: lids and jaw
_LOOSE: Final = ("eyeBlink", "jawOpen")


def blendshape_evidence(scores: NDArray[np.floating]) -> ExpressionEvidence:
    """Scores [F, 52] in the order of ACTIONS -> evidence; nothing of the actions to which the network is blind."""
    sigma = np.full(len(ACTIONS), _SIGMA, np.float32)
    sigma[[a.startswith(_LOOSE) for a in ACTIONS]] = _LOOSE_SIGMA
    sigma[[a.startswith(_BLIND) for a in ACTIONS]] = np.inf
    return ExpressionEvidence(scores.astype(np.float32), np.repeat(sigma[None], len(scores), axis=0))
