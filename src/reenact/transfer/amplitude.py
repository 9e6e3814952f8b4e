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

_LIMITS = (0.75, 1.6)
_BLINKS = np.char.startswith(np.asarray(ACTIONS), "eyeBlink")


def shown(rig: Rig) -> Float:
    """[52] root mean square motion of the landmarks under each action, in distances between the eyeballs."""
    motion = rig.topology.landmarks(rig.actions)
    eyes = float(np.linalg.norm(rig.joints.eyes[0] - rig.joints.eyes[1]))
    return np.sqrt((motion**2).sum(axis=2).mean(axis=1)) / eyes


def gains(performer: Rig, receiver: Rig) -> Float:
    """[52] factors within 0.75 to 1.6; 1 for blinks and gaze, which must meet and hit rather than move alike."""
    theirs, mine = shown(performer), shown(receiver)
    fixed = region_mask("gaze") | _BLINKS | (mine < 1e-5)  # the tongue moves no landmark
    ratio = theirs / np.maximum(mine, 1e-5)
    return np.where(fixed, 1.0, np.clip(ratio, *_LIMITS)).astype(np.float32)
