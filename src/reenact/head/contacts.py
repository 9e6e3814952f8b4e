# SPDX-License-Identifier: Apache-2.0
"""Pairs of vertices that meet (lid margins, inner lips): what closes on the source closes on the target."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .pose import rotations


@dataclass(frozen=True)
class GapRule:
    """How far each pair's gap on the target should change when the source's changes.

    The source's change of gap is turned and scaled by what takes the source's neutral gap to the target's, so
    that the gap shrinks by the same ratio on both and vanishes on both together. A gap that opens far beyond
    its neutral says nothing about contact: the rule fades out and leaves it to the gradients.
    """

    pairs: Tensor  # [P, 2]
    neutral: Tensor  # [P, 3] the source's neutral gaps, first vertex minus second
    carry: Tensor  # [P, 3, 3] from a change of the source's gap to one of the target's
    tiny: float  # length of a gap too small to have a direction or a ratio

    @classmethod
    def between(cls, source: Tensor, target: Tensor, pairs: Tensor, *, size_ratio: Tensor, tiny: float) -> GapRule:
        """Rule for `pairs` [P, 2] between two neutral heads [V, 3]; `tiny` in the source's units."""
        gap_s, gap_t = (head[pairs[:, 0]] - head[pairs[:, 1]] for head in (source, target))
        length_s, length_t = _length(gap_s), _length(gap_t)
        scale = (length_t + tiny * size_ratio) / (length_s + tiny)
        axis = torch.linalg.cross(gap_s, gap_t)
        sine, cosine = _length(axis), (gap_s * gap_t).sum(1)
        # The angle over its sine goes to 1 over the cosine where the gaps are parallel, and is 0 of no gap at all.
        parallel = sine <= 1e-9 * cosine.abs()
        of_parallel = 1.0 / torch.where(parallel & (cosine != 0), cosine, 1.0)
        per_sine = torch.where(parallel, of_parallel, torch.atan2(sine, cosine) / torch.where(parallel, 1.0, sine))
        # Two gaps of nothing have no angle between them: fade the rotation out as either vanishes.
        certain = torch.minimum(length_s, length_t / size_ratio) ** 2
        turn = rotations(axis * (per_sine * certain / (certain + tiny**2))[:, None])
        return cls(pairs, gap_s, scale[:, None, None] * turn, tiny)

    def missing(self, source_offsets: Tensor, target_offsets: Tensor) -> Tensor:
        """What the target's gaps [P, 3 A] still lack, for offsets [V, 3 A] of source and target."""
        change, now = (
            (o[self.pairs[:, 0]] - o[self.pairs[:, 1]]).unflatten(1, (-1, 3)) for o in (source_offsets, target_offsets)
        )
        lack = torch.einsum("pij,paj->pai", self.carry, change) - now
        length = _length(self.neutral)[:, None]
        growth = (torch.linalg.vector_norm(self.neutral[:, None] + change, dim=2) - length).clamp(min=0.0)
        growth = growth / (length + 10 * self.tiny)
        return (lack / (1 + growth**2)[:, :, None]).flatten(1)


def _length(vectors: Tensor) -> Tensor:
    """[N] lengths of [N, 3]; the derivative at nothing is 0."""
    square = vectors.pow(2).sum(1)
    nothing = square == 0
    return torch.where(nothing, 0.0, square.where(~nothing, 1.0).sqrt())
