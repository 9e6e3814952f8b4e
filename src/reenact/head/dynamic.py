# SPDX-License-Identifier: Apache-2.0
"""Offsets known at the landmarks, carried to all vertices of a head: the sparse form of the paper's dynamic offsets."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from .regions import EYEBALL, MOUTH_INTERIOR, region_ids
from .shape import HeadShape

_REACH_M = 0.007  # about the distance of two landmarks of a cheek
_NEAREST = 12
_BEYOND_M = 0.03  # over which offsets end beyond the outermost landmarks


def spread_landmark_offsets(head: HeadShape, offsets: Tensor) -> Tensor:
    """[F, V, 3] metres of the vertices, from those of the landmarks [F, 478, 3].

    Skin follows the landmarks around it, less the farther it is from any. What is no skin stays in shape: an eyeball,
    or what is inside of the mouth, follows by the mean of its offsets.
    """
    top, neutral = head.topology, head.neutral.numpy()
    distance, near = KDTree(top.landmarks(neutral)).query(neutral, k=_NEAREST)
    weight = np.exp(-0.5 * (distance / _REACH_M) ** 2) + 1e-12
    weight /= weight.sum(axis=1, keepdims=True)
    weight *= np.exp(-0.5 * (np.maximum(distance[:, :1] - _REACH_M, 0.0) / _BEYOND_M) ** 2)
    out = torch.einsum("vk,fvkc->fvc", torch.from_numpy(weight.astype(np.float32)), offsets[:, near])
    lips = top.region_vertices(*region_ids("lips"))
    inside = torch.from_numpy(np.setdiff1d(top.region_vertices(*region_ids(*MOUTH_INTERIOR)), lips).astype(np.int64))
    balls = top.region_vertices(*region_ids(*EYEBALL))
    left = neutral[balls, 0] > 0
    for part in (*(torch.from_numpy(balls[side].astype(np.int64)) for side in (left, ~left)), inside):
        out[:, part] = out[:, part].mean(1, keepdim=True)
    return out
