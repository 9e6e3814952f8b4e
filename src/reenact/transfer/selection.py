# SPDX-License-Identifier: Apache-2.0
"""Which parts of a motion an edit means: one action, both sides of one, a region, or everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.head import arkit
from reenact.media.errors import InputError

from .motion_modes import STRENGTHS, Float

_LOOKS = arkit.region_mask("gaze")


@dataclass(frozen=True)
class Strengths:
    """How much of each part of a motion is wanted: 0 the reference's own, 1 the motion's, above 1 more."""

    actions: Float  # [52]; eyeLook as the gaze
    gaze: float
    head: float

    @staticmethod
    def of(given: Mapping[str, float]) -> Strengths:
        """given: by names as in `selected`; what several names mean is multiplied by each. Raises InputError for others
        and for numbers below 0.
        """
        actions, gaze, head = np.ones(len(arkit.ACTIONS)), 1.0, 1.0
        for name, strength in given.items():
            if not (np.isfinite(strength) and strength >= 0):
                raise InputError(f"--strength {name}={strength}: wanted a number of at least 0")
            meant = selected(name)
            actions[meant.actions] *= strength
            gaze *= strength if meant.gaze else 1.0
            head *= strength if meant.head else 1.0
        actions[_LOOKS] = gaze
        return Strengths(actions, gaze, head)


@dataclass(frozen=True)
class Selection:
    """Parts of a motion."""

    actions: NDArray[np.bool_]  # [52]; never the eyeLook actions, which follow from the gaze
    gaze: bool = False
    head: bool = False


def selected(name: str) -> Selection:
    """What `name` means.

    `all`; a region of `motion_modes.STRENGTHS` (eyes, brows, mouth, jaw, gaze, head); an ARKit action (`jawOpen`); or
    the beginning of one that has two sides (`mouthSmile` is `mouthSmileLeft` and `mouthSmileRight`). A region goes
    before a beginning: `mouth` is the region, not `mouthLeft` and `mouthRight`.

    Raises InputError for any other name, and for eyeLook actions: they follow from the gaze.
    """
    if name == "all":
        return Selection(~_LOOKS, gaze=True, head=True)
    if name in STRENGTHS:
        mask = arkit.region_mask(name) if name in arkit.REGIONS else np.zeros(len(arkit.ACTIONS), bool)
        return Selection(mask & ~_LOOKS, gaze=name == "gaze", head=name == "head")
    mask = np.isin(arkit.ACTIONS, [name, f"{name}Left", f"{name}Right"])
    if (mask & _LOOKS).any():
        raise InputError(f"{name} follows from the gaze and cannot be edited by itself; want gaze in its place")
    if not mask.any():
        raise InputError(
            f"there is nothing called {name} in a motion; want all, one of {', '.join(STRENGTHS)}, or an ARKit "
            "action such as jawOpen, or mouthSmile for both sides"
        )
    return Selection(mask)
