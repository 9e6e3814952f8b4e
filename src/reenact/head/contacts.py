# SPDX-License-Identifier: Apache-2.0
"""Pairs of vertices that meet (lid margins, inner lips): what closes on the source closes on the target."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.spatial.transform import Rotation

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_TINY = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class GapRule:
    """How far each pair's gap on the target should change when the source's changes.

    The source's change of gap is turned and scaled by what takes the source's neutral gap to the target's, so
    that the gap shrinks by the same ratio on both and vanishes on both together. A gap that opens far beyond
    its neutral says nothing about contact: the rule fades out and leaves it to the gradients.
    """

    pairs: sparse.csr_matrix  # [P, V], first vertex minus second
    neutral: Float  # [P, 3] the source's neutral gaps
    carry: Float  # [P, 3, 3] from a change of the source's gap to one of the target's
    tiny: float  # length of a gap too small to have a direction or a ratio

    @classmethod
    def between(cls, source: Float, target: Float, pairs: Int, *, size_ratio: float, tiny: float) -> "GapRule":
        """Rule for `pairs` [P, 2] between two neutral heads [V, 3]; `tiny` in the source's units."""
        row = np.arange(len(pairs))
        signs = np.repeat([1.0, -1.0], len(pairs))
        matrix = sparse.csr_matrix((signs, (np.r_[row, row], pairs.T.ravel())), shape=(len(pairs), len(source)))
        gap_s, gap_t = matrix @ source, matrix @ target
        length_s, length_t = np.linalg.norm(gap_s, axis=1), np.linalg.norm(gap_t, axis=1)
        scale = (length_t + tiny * size_ratio) / (length_s + tiny)
        axis = np.cross(gap_s, gap_t)
        sine = np.linalg.norm(axis, axis=1)
        angle = np.arctan2(sine, (gap_s * gap_t).sum(axis=1))
        # Two gaps of nothing have no angle between them: fade the rotation out as either vanishes.
        certain = np.minimum(length_s, length_t / size_ratio) ** 2
        angle *= certain / (certain + tiny**2)
        turn = Rotation.from_rotvec(axis * (angle / np.maximum(sine, _TINY))[:, None])
        return cls(matrix, gap_s, scale[:, None, None] * turn.as_matrix(), tiny)

    def missing(self, source_offsets: Float, target_offsets: Float) -> Float:
        """What the target's gaps [P, A * 3] still lack, for offsets [V, A * 3] of source and target."""
        change = (self.pairs @ source_offsets).reshape(len(self.neutral), -1, 3)
        lack = np.einsum("pij,paj->pai", self.carry, change)
        lack -= (self.pairs @ target_offsets).reshape(lack.shape)
        length = np.linalg.norm(self.neutral, axis=1)[:, None]
        growth = np.maximum(np.linalg.norm(self.neutral[:, None] + change, axis=2) - length, 0.0)
        growth /= length + 10 * self.tiny
        return (lack / (1 + growth**2)[:, :, None]).reshape(len(lack), -1)
