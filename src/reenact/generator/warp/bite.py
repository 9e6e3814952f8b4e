# SPDX-License-Identifier: Apache-2.0
"""Where teeth and tongue are behind the lips: a photo seldom shows it, and a fit of the lips does not say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from reenact.head.arkit import index
from reenact.head.model import Float, Int
from reenact.head.regions import region_ids
from reenact.head.rig import Rig

# Millimetres of an adult's mouth; a child's are scaled by the distance of the eyes.
_BEHIND_M = 0.0065  # upper incisors are this far behind the line of the shut lips
_SHOWN_M = 0.0038  # and end this far below it (adults: 1 to 4 mm)
_OVERJET_M = 0.0022  # the lower incisors bite this far behind the upper
_OVERBITE_M = 0.0018  # and this far above their edge
_TONGUE = 0.7  # height kept of a tongue that fills the shut mouth: once the jaw drops, it lies low
_BARED_M = 0.0125  # a raised upper lip bares the crowns of the incisors and a little gum
# A lower lip can bare the lower incisors while the teeth are near each other. The farther the jaw drops, the more
# the lip is stretched over them, and in a scream it leaves a rim.
_LOWER_BARED_M = (0.0060, 0.0015)
_JAW_DROP_M = (0.001, 0.009)  # distance of the biting edges over which that happens
_LIP_M = (0.0110, 0.0060)  # thickness of the upper and the lower lip, which lie against the teeth


def with_bite(rig: Rig) -> Rig:
    """The rig with its teeth moved to where teeth are seen in a mouth at rest."""
    upper, lower, tongue = _rows(rig)
    size = _size(rig)
    contacts = rig.topology.lip_contacts.ravel()
    neutral = rig.neutral.copy()

    def middle(rows: Int) -> Float:
        return neutral[rows[_in_front(rig, rows)]]

    line = middle(contacts).mean(axis=0)
    edge = middle(upper)[middle(upper)[:, 1].argmin()]
    neutral[upper, 1:] += line[1:] - np.asarray([_SHOWN_M, _BEHIND_M], np.float32) * size - edge[1:]
    edge = middle(upper)[middle(upper)[:, 1].argmin()]
    own = middle(lower)[middle(lower)[:, 1].argmax()]
    shift = edge[1:] + np.asarray([_OVERBITE_M, -_OVERJET_M], np.float32) * size - own[1:]
    neutral[lower, 1:] += shift
    neutral[tongue, 2] += shift[1]
    floor = neutral[tongue, 1].min()
    lift = (1.0 - _TONGUE) * (neutral[tongue, 1] - floor)
    neutral[tongue, 1] -= lift
    actions = rig.actions.copy()
    actions[index("tongueOut"), tongue, 1] += lift  # over the teeth and the lip
    return replace(rig, neutral=neutral, actions=actions)


def seated(rig: Rig, shapes: Float) -> Float:
    """[F, V, 3] canonical shapes with teeth and tongue where lips like these would have them. rig: with_bite.

    A fit explains lips only: it raises, lowers and pushes them farther off the teeth than lips go, where in truth the
    jaw or the head moved, and pushes the jaw forward for a full lower lip.
    """
    upper, lower, tongue = _rows(rig)
    size = _size(rig)
    lips = rig.topology.lip_contacts
    lips = lips[_in_front(rig, lips[:, 0])]
    above, below = (shapes[:, column].mean(axis=1) for column in lips.T)
    front, own = (rows[_in_front(rig, rows)] for rows in (upper, lower))
    edge = shapes[:, front[rig.neutral[front, 1].argmin()]].copy()
    bite = shapes[:, own[rig.neutral[own, 1].argmax()]]

    ahead = np.maximum(above[:, 2] - _LIP_M[0] * size - edge[:, 2], 0.0)
    edge[:, 2] += ahead
    rise = np.maximum(above[:, 1] - edge[:, 1] - _BARED_M * size, 0.0)
    drop = (edge[:, 1] - bite[:, 1]) / size
    most = np.interp(drop, _JAW_DROP_M, _LOWER_BARED_M).astype(np.float32) * size
    fall = np.maximum(bite[:, 1] - below[:, 1] - most, 0.0)
    forward = np.maximum(below[:, 2] - _LIP_M[1] * size - bite[:, 2], 0.0)
    # Lower teeth in front of the upper would be seen at once.
    forward -= np.maximum(shapes[:, own, 2].max(axis=1) + forward - (edge[:, 2] - _OVERJET_M * size), 0.0)
    out = shapes.copy()
    out[:, upper, 1] += rise[:, None]
    out[:, upper, 2] += ahead[:, None]
    jaw = np.concatenate([lower, tongue])
    out[:, jaw, 1] -= fall[:, None]
    out[:, jaw, 2] += forward[:, None]
    return out


def _rows(rig: Rig) -> tuple[Int, Int, Int]:
    """Vertices of the upper teeth, the lower teeth, the tongue."""
    upper, lower, tongue = (rig.topology.region_vertices(i) for i in region_ids("teeth_upper", "teeth_lower", "tongue"))
    return upper, lower, tongue


def _size(rig: Rig) -> float:
    """Of a head, against an adult's."""
    return float(np.ptp(rig.joints.eyes[:, 0])) / 0.064


def _in_front(rig: Rig, rows: Int) -> np.ndarray:
    """[N] whether vertices are near the middle of the mouth: the two central incisors and the lips over them."""
    return np.abs(rig.neutral[rows, 0]) < 0.006 * _size(rig)
