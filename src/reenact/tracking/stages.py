# SPDX-License-Identifier: Apache-2.0
"""The staged fit as data: what moves, for how many steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .solve import Smoothness


@dataclass(frozen=True)
class JointStage:
    """Key frames, identity and focal length together."""

    components: int
    """Leading identity components that move."""
    steps: int
    placed: bool
    """Whether the detector's points may move along the skin."""
    focal_sigma: float
    """Prior standard deviation of the logarithm of the focal length about its start."""


@dataclass(frozen=True)
class FrameStage:
    """All frames, identity and camera fixed."""

    steps: int
    smooth: Smoothness | None


KEY_FRAMES: Final = 40
"""32 and 48 do alike on all of 83 clips; 24 take half as long and lose two of the fits (2.0, 0.7 % of face height)."""
FRAMES_WORTH: Final = 4.0
"""Evidence of the key frames together, in frames, against the identity prior."""

COARSE: Final = JointStage(components=30, steps=6, placed=False, focal_sigma=0.05)
_FOCAL_SIGMA: Final = 0.1
"""The landmark network's points look as if seen from nearer than they are: left free (0.35), synthetic people of known
distance are put at 0.54 of it (median of 13, clips of ten frames), at 0.1 at 0.66, with no larger residual."""
FINE: Final = JointStage(components=140, steps=6, placed=False, focal_sigma=_FOCAL_SIGMA)
PERSONAL: Final = JointStage(components=140, steps=4, placed=True, focal_sigma=_FOCAL_SIGMA)
"""Once more after the actions have been adapted to the fitted person."""

FRAMES: Final = (FrameStage(steps=6, smooth=None), FrameStage(steps=4, smooth=Smoothness()))
"""Every frame for itself first, then with its neighbours."""
