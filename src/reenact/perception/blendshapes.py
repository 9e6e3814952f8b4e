# SPDX-License-Identifier: Apache-2.0
"""The blendshape network's scores as expression evidence, calibrated to the codes of our head.

The network reads landmarks, and means its own by a score: a frown of code 1 is given 0.3, full lips at rest are given
a pucker of up to 0.8. The curves say what it gives on average to each code, and how far single faces lie from that; a
score is read backwards through its curve, and is as uncertain as the curve is flat (scripts/calibrate_blendshapes.py).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from reenact.head.arkit import ACTIONS
from reenact.media.arrays import read_arrays
from reenact.media.files import asset

from .evidence import ExpressionEvidence

CURVES: Final = asset("blendshape_scores.safetensors")
LEVELS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Codes at which the curves are known."""


@lru_cache(maxsize=1)
def _calibration() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean scores [52, 5] at LEVELS, strictly rising, and standard deviations [52] of the codes read, inf if blind."""
    read, _ = read_arrays(CURVES, "calibration")
    sigma = read["sigma"]
    sigma[[a.startswith("eyeLook") for a in ACTIONS]] = np.inf  # looking is the gaze's
    # Guessing the middle of all that an action can do errs by 0.5 at most.
    return read["scores"], np.where(sigma < 0.5, sigma, np.inf).astype(np.float32)


def _codes_of(scores: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scores [F, 52] -> the codes [F, 52] that are given them on average; 0 where the network is blind."""
    curves, sigma = _calibration()
    columns = [
        np.interp(scores[:, i], curve, LEVELS) if np.isfinite(sigma[i]) else np.zeros(len(scores))
        for i, curve in enumerate(curves)
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def blendshape_evidence(scores: NDArray[np.floating]) -> ExpressionEvidence:
    """Scores [F, 52] in the order of ACTIONS -> evidence; nothing of the actions to which the network is blind."""
    return ExpressionEvidence(_codes_of(scores), np.repeat(_calibration()[1][None], len(scores), axis=0))
