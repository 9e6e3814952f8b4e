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

_FOCAL_SIGMA: Final = 0.03
"""The landmark network's points look as if seen from nearer than they are, and would pull the camera there: twenty
synthetic people of known distance, who start where the expression network sees them, are put at 0.76 (median; 37 %
within a quarter), 0.89 (53 %) and 0.97 (60 %) of it with 0.1, 0.05 and 0.03. Residuals grow by 1 % on them, and not at
all on twelve real clips."""
COARSE: Final = JointStage(components=30, steps=6, placed=False, focal_sigma=_FOCAL_SIGMA)
FINE: Final = JointStage(components=140, steps=6, placed=False, focal_sigma=_FOCAL_SIGMA)
PERSONAL: Final = JointStage(components=140, steps=4, placed=True, focal_sigma=_FOCAL_SIGMA)
"""Once more after the actions have been adapted to the fitted person."""

FRAMES: Final = (FrameStage(steps=6, smooth=None), FrameStage(steps=4, smooth=Smoothness()))
"""Every frame for itself first, then with its neighbours."""
