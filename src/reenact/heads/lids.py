# SPDX-License-Identifier: Apache-2.0
"""Lids that meet: neither through one another nor with the eyeball shining through a slit."""

from __future__ import annotations

import numpy as np

from .arkit import index
from .model import Float
from .rig import Rig

_SHUT = (0.85, 0.98)  # share of the way to shut over which the lids come to touch all along
_CORNER = 0.15  # pairs that open less than this share of the widest are corners: they hardly close


def meet_lids(rig: Rig, shapes: Float) -> Float:
    """[F, V, 3] canonical shapes, their lids let go where they cross and drawn together where they nearly touch.

    Squinting, looking down and blinking each close the lids; together they would shut them twice over. And a
    sculpted blink, on another's anatomy, shuts one part of the edges before the other.
    """
    shapes = shapes.copy()
    pairs = rig.topology.lid_contacts
    for side, action in enumerate(("eyeBlinkLeft", "eyeBlinkRight")):
        own = pairs[(rig.neutral[pairs[:, 0], 0] > 0) == (side == 0)]
        open_by = rig.neutral[own[:, 0], 1] - rig.neutral[own[:, 1], 1]
        own, open_by = own[open_by > _CORNER * open_by.max()], open_by[open_by > _CORNER * open_by.max()]
        order = np.argsort(np.abs(rig.neutral[own[:, 0], 0]))
        (upper, lower), open_by = own[order].T, open_by[order]
        blink = rig.actions[index(action)]
        closes_by = blink[lower, 1] - blink[upper, 1]
        if (closes_by <= 0.0).any():
            continue
        gap = shapes[:, upper, 1] - shapes[:, lower, 1]  # [F, Q]
        wide = open_by > 0.5 * open_by.max()
        crossed = np.maximum(-gap[:, wide].mean(axis=1), 0.0)[:, None]
        back = crossed / closes_by[wide].mean()  # [F, 1] of a blink, for all of the lid alike
        gap += back * closes_by
        closed = np.clip((1.0 - gap[:, wide].mean(axis=1) / open_by[wide].mean() - _SHUT[0]) / np.ptp(_SHUT), 0.0, 1.0)
        more = closed[:, None] * gap / closes_by - back  # [F, Q] of a blink, place by place
        moved = np.flatnonzero(np.abs(blink).max(axis=1) > 0.0)
        shapes[:, moved] += _between(rig, upper, moved, more)[..., None] * blink[moved]
    return shapes


def _between(rig: Rig, along: np.ndarray, rows: np.ndarray, values: Float) -> Float:
    """[F, N] values [F, Q] at vertices `along` [Q] a lid, from the nose outwards, interpolated for vertices `rows`."""
    x, at = (np.abs(rig.neutral[r, 0]) for r in (rows, along))
    place = np.interp(x, at, np.arange(len(at)))
    low = np.minimum(place.astype(int), len(at) - 2)
    share = (place - low).astype(np.float32)
    return (1.0 - share) * values[:, low] + share * values[:, low + 1]
