# SPDX-License-Identifier: Apache-2.0
"""How far each action may be believed without evidence: one standard deviation per ARKit action."""

from __future__ import annotations

from typing import Final

import numpy as np

from reenact.heads.arkit import ACTIONS
from reenact.heads.gaze import LOOK_ACTIONS

DEFAULT_SIGMA: Final = 0.5
# Actions that a few points could abuse to explain each other's noise get a short leash: with a shut mouth a loose
# fit rolls the lips, and puffed cheeks are invisible from in front.
SIGMA: Final[dict[str, float]] = {
    "jawOpen": 0.7, "mouthLowerDown": 0.8, "mouthUpperUp": 0.7,
    "eyeBlink": 1.0, "browDown": 0.8, "browInnerUp": 0.8, "browOuterUp": 0.8, "mouthSmile": 1.0,
    "mouthPucker": 0.8, "mouthFunnel": 0.6, "mouthRoll": 0.25, "mouthShrug": 0.3, "cheekPuff": 0.15,
    "cheekSquint": 0.25,
    "noseSneer": 0.2, "jawForward": 0.25, "jawLeft": 0.3, "jawRight": 0.3, "mouthClose": 0.3, "mouthPress": 0.35,
    "mouthDimple": 0.3, "mouthFrown": 0.3, "mouthStretch": 0.35, "eyeWide": 0.3, "eyeSquint": 0.25,
}  # fmt: skip

# The eyeLook actions follow from the gaze; the tongue leaves no trace in the landmarks.
UNSEEN: Final = (*(i for eye in LOOK_ACTIONS for i in eye), ACTIONS.index("tongueOut"))
FREE_ACTIONS: Final = tuple(i for i in range(len(ACTIONS)) if i not in UNSEEN)

GAZE_SIGMA: Final = 0.35  # rad
VERGENCE_SIGMA: Final = (0.04, 0.015)  # rad: difference between the eyes in yaw and in pitch


def action_sigmas() -> np.ndarray:
    """[52] prior standard deviation by action."""
    out = np.full(len(ACTIONS), DEFAULT_SIGMA, np.float32)
    for prefix, sigma in SIGMA.items():
        for i, name in enumerate(ACTIONS):
            if name.startswith(prefix):
                out[i] = sigma
    return out
