# SPDX-License-Identifier: Apache-2.0
"""How far actions may be believed without evidence: a standard deviation each, and which of them exclude each other."""

from __future__ import annotations

from itertools import product
from typing import Final

import numpy as np
import torch
from torch import Tensor

from reenact.head.arkit import ACTIONS
from reenact.head.gaze import LOOK_ACTIONS
from reenact.perception.evidence import ExpressionEvidence

# Actions that a few points could abuse to explain each other's noise get a short leash: with a shut mouth a loose
# fit rolls the lips, and puffed cheeks are invisible from in front. Cheeks and nose hardly move a landmark: at twice
# these the fit holds puffed cheeks through twelve clips (mean 0.12) in which nobody puffs them.
SIGMA: Final[dict[str, float]] = {
    "jawOpen": 0.7, "mouthLowerDown": 0.8, "mouthUpperUp": 0.7,
    "eyeBlink": 1.0, "browDown": 0.8, "browInnerUp": 0.8, "browOuterUp": 0.8, "mouthSmile": 1.0,
    "mouthPucker": 0.8, "mouthFunnel": 0.6, "mouthRoll": 0.25, "mouthShrug": 0.3, "cheekPuff": 0.1,
    "cheekSquint": 0.1,
    "noseSneer": 0.1, "jawForward": 0.25, "jawLeft": 0.3, "jawRight": 0.3, "mouthClose": 0.3, "mouthPress": 0.35,
    "mouthDimple": 0.3, "mouthFrown": 0.3, "mouthStretch": 0.35, "eyeWide": 0.3, "eyeSquint": 0.25,
}  # fmt: skip

# Muscles that pull the same skin in opposite ways, or shapes that cannot be made at once, and how strongly they exclude
# each other: activations a and b together cost strength x (a / sigma_a) x (b / sigma_b), either alone costs nothing.
# A fit likes to hold both, as one more shape to make up for an identity that is not quite right; on another face they
# do not cancel.  Names without a side stand for both sides.
_EXCLUDE: Final = 3.0
ANTAGONISTS: Final[tuple[tuple[str, str, float], ...]] = (
    ("eyeWide", "eyeBlink", _EXCLUDE), ("eyeWide", "eyeSquint", _EXCLUDE),
    ("browDown", "browOuterUp", 12.0), ("browDown", "browInnerUp", 2.0),  # the latter is worry: dear, but possible
    ("jawLeft", "jawRight", _EXCLUDE), ("mouthLeft", "mouthRight", _EXCLUDE),
    ("mouthSmile", "mouthFrown", _EXCLUDE), ("mouthSmile", "mouthPucker", _EXCLUDE),
    ("mouthSmile", "mouthFunnel", _EXCLUDE), ("mouthStretch", "mouthPucker", _EXCLUDE),
    ("mouthStretch", "mouthFunnel", _EXCLUDE), ("mouthDimple", "mouthPucker", _EXCLUDE),
    ("mouthDimple", "mouthFunnel", _EXCLUDE), ("mouthRollLower", "mouthLowerDown", _EXCLUDE),
    ("mouthRollLower", "mouthFunnel", _EXCLUDE), ("mouthRollLower", "jawOpen", _EXCLUDE),
    ("mouthRollUpper", "mouthUpperUp", _EXCLUDE), ("mouthRollUpper", "mouthFunnel", _EXCLUDE),
    ("mouthPress", "jawOpen", _EXCLUDE), ("mouthPress", "mouthLowerDown", _EXCLUDE),
    ("mouthPress", "mouthUpperUp", _EXCLUDE), ("mouthClose", "mouthLowerDown", _EXCLUDE),
    ("mouthClose", "mouthUpperUp", _EXCLUDE), ("mouthShrugLower", "mouthLowerDown", _EXCLUDE),
)  # fmt: skip

# The eyeLook actions follow from the gaze; the tongue leaves no trace in the landmarks (tongue.py looks at pixels).
FREE_ACTIONS: Final = tuple(
    i for i in range(len(ACTIONS)) if i not in (*LOOK_ACTIONS[0], *LOOK_ACTIONS[1], ACTIONS.index("tongueOut"))
)

# Landmarks err alike in all frames of a face that their network does not know (a brow seen too high stays so), and the
# fit takes their errors for independent. Evidence therefore counts for more than its standard deviations say. Ten
# synthetic people with ten expressions each, the expression network's deviations x 1, 0.4, 0.15: mean error of the
# codes .083, .063, .054 (the network alone .053), landmarks off by 1.13, 1.18, 1.28 px of 448. On three real clips the
# landmarks, truer there, leave 1.36, 1.53, 1.81 px, and at 0.15 the lids no longer follow them. (The network's are
# doubled for real skin, see perception/expression.py, so this is the 0.4 there.)
EVIDENCE_SCALE: Final = 0.2

GAZE_SIGMA: Final = 0.35  # rad
VERGENCE_SIGMA: Final = (0.04, 0.015)  # rad: difference between the eyes in yaw and in pitch


def action_sigmas() -> np.ndarray:
    """[52] prior standard deviation by action."""
    out = np.full(len(ACTIONS), 0.5, np.float32)
    for prefix, sigma in SIGMA.items():
        for i, name in enumerate(ACTIONS):
            if name.startswith(prefix):
                out[i] = sigma
    return out


def code_prior(frames: int, evidence: ExpressionEvidence | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation [F, 52] of the codes of F frames.

    Where there is evidence its mean takes the place of the general prior's 0, since the networks' outputs are posterior
    means already, and shrinking them once more would make every expression timid. The smaller of both standard
    deviations holds: evidence that is not sure gives no action a longer leash to explain the landmarks' noise with.
    """
    mean = np.zeros((frames, len(ACTIONS)), np.float32)
    sigma = np.repeat(action_sigmas()[None], frames, axis=0)
    if evidence is None:
        return mean, sigma
    if evidence.mean.shape != mean.shape:
        raise ValueError(f"got evidence of shape {evidence.mean.shape}; want {mean.shape}")
    scale = np.full(len(ACTIONS), EVIDENCE_SCALE, np.float32)
    # Gaps of lips and lids are what landmarks say best: speech and blinks keep their own height.
    scale[[a.startswith(("jawOpen", "eyeBlink", "mouthClose")) for a in ACTIONS]] = 1.0
    # The landmark detector does not follow cheeks and nose, so that its points contradict the evidence about them.
    # Correlations of puff and sneer on ten synthetic people are .31 and .79 at EVIDENCE_SCALE, .49 and .93 at 0.06, .58
    # and .92 at 0.03, where that of browDown falls from .81 to .78.
    scale[[a.startswith(("cheekPuff", "cheekSquint", "noseSneer")) for a in ACTIONS]] = 0.05
    return np.where(np.isfinite(evidence.sigma), evidence.mean, mean), np.minimum(evidence.sigma * scale, sigma)


def antagonism() -> Tensor:
    """[52, 52] symmetric, zero diagonal: half of codes @ antagonism @ codes is the price of opposing actions."""
    sigma = action_sigmas()
    out = torch.zeros(len(ACTIONS), len(ACTIONS))
    for first, second, strength in ANTAGONISTS:
        one, other = _sides(first), _sides(second)
        # left against left and right against right; an action without sides against both
        for a, b in zip(one, other, strict=True) if len(one) == len(other) else product(one, other):
            out[a, b] = out[b, a] = float(strength / (sigma[a] * sigma[b]))
    return out


def _sides(name: str) -> list[int]:
    """Positions of an action, or of its left and its right half."""
    return [i for i, action in enumerate(ACTIONS) if action in (name, f"{name}Left", f"{name}Right")]
