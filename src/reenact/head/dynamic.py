# SPDX-License-Identifier: Apache-2.0
"""Offsets known at the landmarks, carried to all vertices of a head: the sparse form of the paper's dynamic offsets."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from .model import Float
from .regions import EYEBALL, MOUTH_INTERIOR, region_ids
from .rig import Rig

_REACH_M = 0.007  # about the distance of two landmarks of a cheek
_NEAREST = 12
_BEYOND_M = 0.03  # over which offsets end beyond the outermost landmarks


def carried(rig: Rig, offsets: Float) -> Float:
    """[F, V, 3] metres of the vertices, from those of the landmarks [F, 478, 3].

    Skin follows the landmarks around it, less the farther it is from any. What is no skin stays in shape: an eyeball,
    or what is inside of the mouth, follows by the mean of its offsets.
    """
    marks = rig.topology.landmarks(rig.neutral)
    distance, near = KDTree(marks).query(rig.neutral, k=_NEAREST)
    weight = np.exp(-0.5 * (distance / _REACH_M) ** 2) + 1e-12
    weight /= weight.sum(axis=1, keepdims=True)
    weight *= np.exp(-0.5 * (np.maximum(distance[:, :1] - _REACH_M, 0.0) / _BEYOND_M) ** 2)
    out = np.einsum("vk,fvkc->fvc", weight, offsets[:, near]).astype(np.float32)
    left = rig.neutral[:, 0] > 0
    balls = rig.topology.region_vertices(*region_ids(*EYEBALL))
    inside = np.setdiff1d(
        rig.topology.region_vertices(*region_ids(*MOUTH_INTERIOR)), rig.topology.region_vertices(*region_ids("lips"))
    )
    for part in (balls[left[balls]], balls[~left[balls]], inside):
        out[:, part] = out[:, part].mean(axis=1, keepdims=True)
    return out
