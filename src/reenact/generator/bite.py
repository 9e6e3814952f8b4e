# SPDX-License-Identifier: Apache-2.0
"""Where the teeth stand behind the lips, in a mouth at rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reenact.heads.arkit import index
from reenact.heads.model import Float, Int
from reenact.heads.regions import region_ids
from reenact.heads.rig import Rig

_SHOWN_M = 0.0038  # upper incisors end this far below the line of the shut lips (adults: 1 to 4 mm)
_OVERJET_M = 0.0022  # the lower incisors bite this far behind the upper
_TONGUE = 0.7  # height kept of a tongue that fills the shut mouth: once the jaw drops, it lies low
_OVERBITE_M = 0.0018  # and this far above their edge


def with_bite(rig: Rig) -> Rig:
    """The rig with its teeth moved to where teeth are seen, as a photo never shows where a closed mouth has them."""
    upper, lower = (rig.topology.region_vertices(i) for i in region_ids("teeth_upper", "teeth_lower"))
    size = float(np.ptp(rig.joints.eyes[:, 0])) / 0.064
    contacts = rig.topology.lip_contacts.ravel()
    neutral = rig.neutral.copy()

    def middle(rows: Int) -> Float:
        return neutral[rows[np.abs(neutral[rows, 0]) < 0.006 * size]]

    neutral[upper, 1] += middle(contacts)[:, 1].mean() - _SHOWN_M * size - middle(upper)[:, 1].min()
    edge = middle(upper)[middle(upper)[:, 1].argmin()]
    own = middle(lower)[middle(lower)[:, 1].argmax()]
    neutral[lower, 1] += edge[1] + _OVERBITE_M * size - own[1]
    neutral[lower, 2] += edge[2] - _OVERJET_M * size - own[2]
    tongue = rig.topology.region_vertices(*region_ids("tongue"))
    floor = neutral[tongue, 1].min()
    lift = (1.0 - _TONGUE) * (neutral[tongue, 1] - floor)
    neutral[tongue, 1] -= lift
    actions = rig.actions.copy()
    actions[index("tongueOut"), tongue, 1] += lift  # over the teeth and the lip
    return replace(rig, neutral=neutral, actions=actions)


def shut_behind(rig: Rig, shapes: Float) -> Float:
    """[F, V, 3] canonical shapes with the lower jaw's teeth and the tongue behind the upper teeth.

    A fit uses a jaw pushed forward for a full lower lip; lower teeth in front of the upper would be seen at once.
    """
    upper, lower, tongue = (rig.topology.region_vertices(i) for i in region_ids("teeth_upper", "teeth_lower", "tongue"))
    size = float(np.ptp(rig.joints.eyes[:, 0])) / 0.064
    front = upper[np.abs(rig.neutral[upper, 0]) < 0.006 * size]
    edge = front[rig.neutral[front, 1].argmin()]
    own = lower[np.abs(rig.neutral[lower, 0]) < 0.006 * size]
    reach = shapes[:, own, 2].max(axis=1) - (shapes[:, edge, 2] - _OVERJET_M * size)
    out = shapes.copy()
    out[:, np.concatenate([lower, tongue]), 2] -= np.maximum(reach, 0.0)[:, None]
    return out
