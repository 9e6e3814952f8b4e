# SPDX-License-Identifier: Apache-2.0
"""How a head's surface follows its landmarks."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import torch
from scipy.sparse import csr_matrix
from scipy.spatial import KDTree

from .regions import EYEBALL, MOUTH_INTERIOR, region_ids
from .shape import HeadShape
from .sparse import Sparse

_REACH_M: Final = 0.007  # about the distance of two landmarks of a cheek
_NEAREST: Final = 12
_BEYOND_M: Final = 0.03  # over which offsets end beyond the outermost landmarks


@lru_cache(maxsize=4)
def following(head: HeadShape) -> Sparse:
    """Make the matrix [V, 478] by which a head follows its landmarks.

    Skin follows the landmarks around it, less the farther it is from any. What is no skin stays in shape: an eyeball,
    or what is inside of the mouth, follows by the mean of its offsets.
    """
    top, neutral = head.topology, head.neutral
    marks = top.at_landmarks(neutral).numpy()
    distance, near = (np.asarray(found) for found in KDTree(marks).query(neutral.numpy(), k=_NEAREST))
    weight = np.exp(-0.5 * (distance / _REACH_M) ** 2) + 1e-12
    weight /= weight.sum(axis=1, keepdims=True)
    weight *= np.exp(-0.5 * (np.maximum(distance[:, :1] - _REACH_M, 0.0) / _BEYOND_M) ** 2)
    out = np.zeros((len(neutral), len(marks)), np.float32)
    np.put_along_axis(out, near, weight.astype(np.float32), axis=1)
    lips = top.region_vertices(*region_ids("lips"))
    interior = top.region_vertices(*region_ids(*MOUTH_INTERIOR))
    balls = top.region_vertices(*region_ids(*EYEBALL))
    left = neutral[balls, 0] > 0
    for part in (balls[left], balls[~left], interior[~torch.isin(interior, lips)]):
        out[part] = out[part].mean(0)
    return Sparse(csr_matrix(out))
