# SPDX-License-Identifier: Apache-2.0
"""Lips that press on one another and do not pass through."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .arkit import index
from .model import Float, Topology
from .parting import Parting

if TYPE_CHECKING:
    from .rig import Rig

_REACH = 0.30  # of the mouth's width: how far from where they meet the lips give way
_PRESS_M = 0.0002  # soft lips that only just touched would show a hair of teeth between them
_MIDDLE = 0.5  # of the mouth's half width


def lip_parting(topology: Topology, neutral: Float) -> Parting:
    """Where a neutral head's [V, 3] lips meet."""
    return Parting.of(topology, neutral, topology.lip_contacts, _REACH, _PRESS_M)


def meet_lips(rig: Rig, shapes: Float, expression: Float) -> Float:
    """[F, V, 3] canonical shapes, their lips brought to where they touch.

    Smiling, puckering and pressing are each sculpted to keep a mouth shut; together they would shut it several times
    over. First of all mouthClose is taken back, which shuts a mouth no farther than the jaw has opened it.

    expression: [F, 52] that made the shapes.
    """
    line, close = rig.lips, rig.actions[index("mouthClose")]
    middle = np.abs(line.x - line.x.mean()) < _MIDDLE * 0.5 * np.ptp(line.x)
    by = (close[line.lower, 1] - close[line.upper, 1])[middle].mean()
    shapes = shapes.copy()
    if by > 0.0:
        back = np.minimum(line.through(shapes)[:, middle].mean(1) / by, expression[:, index("mouthClose")])
        some = np.flatnonzero(back > 0.0)
        shapes[some] -= back[some, None, None] * close
    line.part(shapes)
    return shapes
