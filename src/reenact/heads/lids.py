# SPDX-License-Identifier: Apache-2.0
"""Lids that meet: neither through one another nor with the eyeball shining through a slit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .along import Along
from .arkit import index
from .model import Float, Int, Topology
from .parting import Parting

if TYPE_CHECKING:
    from .rig import Rig

_SHUT = (0.85, 0.98)  # share of the way to shut over which the lids come to touch all along
_CORNER = 0.15  # pairs that open less than this share of the widest are corners: they hardly close
_REACH = 0.20  # of the eye's width: how far from the edges of lids that cross in a corner their skin gives way


@dataclass(frozen=True)
class LidLine:
    """Where the lids of one eye meet. Q pairs, n vertices that a blink moves."""

    upper: Int  # [Q] from the nose outwards
    lower: Int  # [Q]
    open_by: Float  # [Q] metres, at rest
    closes_by: Float  # [Q] metres, of a whole blink
    wide: NDArray[np.integer]  # those of the Q that open wide
    along: Along  # the n vertices
    blink: Float  # [n, 3] metres
    corners: Parting

    @staticmethod
    def of(topology: Topology, neutral: Float, actions: Float) -> tuple[LidLine, ...]:
        """Of the left eye and of the right; none of an eye that the actions do not shut. See `Rig`."""
        pairs = topology.lid_contacts
        lines = []
        for side, action in enumerate(("eyeBlinkLeft", "eyeBlinkRight")):
            every = own = pairs[(neutral[pairs[:, 0], 0] > 0) == (side == 0)]
            open_by = neutral[own[:, 0], 1] - neutral[own[:, 1], 1]
            own, open_by = own[open_by > _CORNER * open_by.max()], open_by[open_by > _CORNER * open_by.max()]
            order = np.argsort(np.abs(neutral[own[:, 0], 0]))
            (upper, lower), open_by = own[order].T, open_by[order]
            blink = actions[index(action)]
            closes_by = blink[lower, 1] - blink[upper, 1]
            if (closes_by <= 0.0).any():
                continue
            moved = np.flatnonzero(np.abs(blink).max(axis=1) > 0.0)
            along = Along.of(np.abs(neutral[upper, 0]), np.abs(neutral[moved, 0]), moved)
            wide = np.flatnonzero(open_by > 0.5 * open_by.max())
            corners = Parting.of(topology, neutral, every, _REACH)
            lines.append(LidLine(upper, lower, open_by, closes_by, wide, along, blink[moved], corners))
        return tuple(lines)


def meet_lids(rig: Rig, shapes: Float) -> Float:
    """[F, V, 3] canonical shapes, their lids let go where they cross and drawn together where they nearly touch.

    Squinting, looking down and blinking each close the lids; together they would shut them twice over. And a
    sculpted blink, on another's anatomy, shuts one part of the edges before the other.
    """
    shapes = shapes.copy()
    for line in rig.lids:
        gap = shapes[:, line.upper, 1] - shapes[:, line.lower, 1]  # [F, Q]
        crossed = np.maximum(-gap[:, line.wide].mean(axis=1), 0.0)[:, None]
        back = crossed / line.closes_by[line.wide].mean()  # [F, 1] of a blink, for all of the lid alike
        gap += back * line.closes_by
        shut = 1.0 - gap[:, line.wide].mean(axis=1) / line.open_by[line.wide].mean()
        closed = np.clip((shut - _SHUT[0]) / np.ptp(_SHUT), 0.0, 1.0)
        more = closed[:, None] * gap / line.closes_by - back  # [F, Q] of a blink, place by place
        some = np.flatnonzero((more != 0.0).any(axis=1))
        if len(some):
            shapes[np.ix_(some, line.along.rows)] += line.along.of_rows(more[some])[..., None] * line.blink
        line.corners.part(shapes)
    return shapes
