# SPDX-License-Identifier: Apache-2.0
"""How much of an action a receiver must give so that it shows as much as on the performer.

Deformation transfer keeps local strain, so a small mouth opens less than a large one.  A viewer reads an expression
against the face it is on: the same share of the distance between the eyes.  The difference is a factor per action.
"""

from __future__ import annotations

import numpy as np

from reenact.heads.arkit import ACTIONS, region_mask
from reenact.heads.model import Float
from reenact.heads.rig import Rig
from reenact.tracking.scheme import EYE_CORNERS, LEFT_LID_GAPS, LIPS, RIGHT_LID_GAPS

_LIMITS = (0.75, 1.6)
_BLINKS = np.char.startswith(np.asarray(ACTIONS), "eyeBlink")


def shown(rig: Rig) -> Float:
    """[52] how much of each action a viewer sees: root mean square motion in distances between the eyeballs.

    Of all landmarks for most actions, of the lips for what mouth and jaw do; for the lids it is the change of their
    gap in widths of that eye, summed over both eyes.
    """
    neutral, motion = rig.topology.landmarks(rig.neutral), rig.topology.landmarks(rig.actions)
    eyes = float(np.linalg.norm(rig.joints.eyes[0] - rig.joints.eyes[1]))
    whole = np.sqrt((motion**2).sum(axis=2).mean(axis=1)) / eyes
    lips = np.sqrt((motion[:, list(LIPS)] ** 2).sum(axis=2).mean(axis=1)) / eyes
    lids = np.zeros(len(ACTIONS))
    for gaps, (inner, outer) in zip((LEFT_LID_GAPS, RIGHT_LID_GAPS), EYE_CORNERS, strict=True):
        upper, lower = np.asarray(gaps).T
        width = np.linalg.norm(neutral[inner] - neutral[outer])
        lids += np.linalg.norm(motion[:, upper] - motion[:, lower], axis=2).mean(axis=1) / width
    mouth = region_mask("mouth") | region_mask("jaw")
    return np.where(region_mask("eyes"), lids, np.where(mouth, lips, whole)).astype(np.float32)


def gains(performer: Rig, receiver: Rig) -> Float:
    """[52] factors within 0.75 to 1.6; 1 for blinks and gaze, which must meet and hit rather than move alike."""
    theirs, mine = shown(performer), shown(receiver)
    fixed = region_mask("gaze") | _BLINKS | (mine < 1e-4)  # the tongue moves no landmark
    ratio = theirs / np.maximum(mine, 1e-4)
    return np.where(fixed, 1.0, np.clip(ratio, *_LIMITS)).astype(np.float32)
