# SPDX-License-Identifier: Apache-2.0
"""The 52 ARKit facial actions: their order and the region of the face each one belongs to.

Names as in Apple's `ARFaceAnchor.BlendShapeLocation`, sorted alphabetically. "Left" and "Right" are the
subject's. Every array in this project whose last axis is called "expression" has this order.
"""

import numpy as np
from numpy.typing import NDArray

ACTIONS: tuple[str, ...] = (
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)

REGIONS: tuple[str, ...] = ("eyes", "brows", "mouth", "jaw", "gaze")
"""Regions that partition the 52 actions; see `region_of`."""

OTHER_SIDE: tuple[int, ...] = tuple(
    ACTIONS.index(name.replace("Left", "*").replace("Right", "Left").replace("*", "Right")) for name in ACTIONS
)
"""Position of each action's counterpart on the other side of the face, its own if it has none."""

_INDEX = {name: i for i, name in enumerate(ACTIONS)}


CODE_BOUND = 1.2
"""Largest activation of an action but for those of `action_bounds`: beyond 1 a sculpted action exaggerates."""
_WIDER = {"jawOpen": 1.5, "brow": 1.5}  # screams and raised brows do go beyond what was sculpted as 1


def action_bounds() -> NDArray[np.float32]:
    """[52] largest activation of each action; the smallest is 0."""
    wider = [next((b for prefix, b in _WIDER.items() if a.startswith(prefix)), CODE_BOUND) for a in ACTIONS]
    return np.asarray(wider, np.float32)


def index(action: str) -> int:
    """Position of `action` in `ACTIONS`. Raises KeyError if there is no such action."""
    return _INDEX[action]


def region_of(action: str) -> str:
    """The one region of `REGIONS` that `action` belongs to. Raises KeyError if there is no such action.

    Cheek squints go with the eyes, whose smile they are; puffed cheeks, sneers and the tongue with the mouth.
    `mouthClose` goes with the jaw: it seals the lips over an open jaw, and scaled alone it would push them
    through one another.
    """
    index(action)
    if action.startswith("eyeLook"):
        return "gaze"
    if action.startswith(("eye", "cheekSquint")):
        return "eyes"
    if action.startswith("brow"):
        return "brows"
    if action.startswith("jaw") or action == "mouthClose":
        return "jaw"
    return "mouth"


def region_mask(region: str) -> NDArray[np.bool_]:
    """Boolean [52], true where the action belongs to `region`. Raises ValueError for an unknown region."""
    if region not in REGIONS:
        raise ValueError(f"unknown region {region!r}, wanted one of {', '.join(REGIONS)}")
    return np.array([region_of(action) == region for action in ACTIONS])
