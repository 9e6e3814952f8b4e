# SPDX-License-Identifier: Apache-2.0
"""Expression evidence: what networks say of each action in each frame, as a mean and a standard deviation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


@dataclass(frozen=True)
class ExpressionEvidence:
    """Independent Gaussians over the expression codes of F frames, in the order of `heads.arkit.ACTIONS`."""

    mean: Float  # [F, 52]
    sigma: Float  # [F, 52] standard deviation, inf where nothing is known

    def __len__(self) -> int:
        return len(self.mean)

    def rows(self, index: slice | NDArray[np.integer] | NDArray[np.bool_]) -> ExpressionEvidence:
        """Return the evidence of some frames."""
        return ExpressionEvidence(self.mean[index], self.sigma[index])

    @staticmethod
    def joined(parts: Sequence[ExpressionEvidence]) -> ExpressionEvidence:
        """Concatenate parts along the frames."""
        return ExpressionEvidence(np.concatenate([p.mean for p in parts]), np.concatenate([p.sigma for p in parts]))


def fuse(sources: Sequence[ExpressionEvidence]) -> ExpressionEvidence:
    """Combine sources about the same frames by their precision.

    Raises:
        ValueError: if there is no source, or they differ in shape.
    """
    if not sources or any(s.mean.shape != sources[0].mean.shape or s.sigma.shape != s.mean.shape for s in sources):
        raise ValueError(f"got sources of shapes {[s.mean.shape for s in sources]}; want one or more of one shape")
    precisions = [s.sigma.astype(np.float64) ** -2 for s in sources]
    total = np.sum(precisions, axis=0)
    weighted = np.sum([p * s.mean for p, s in zip(precisions, sources, strict=True)], axis=0)
    known = total > 0
    mean = np.divide(weighted, total, out=np.zeros_like(total), where=known)
    sigma = np.divide(1.0, np.sqrt(total), out=np.full_like(total, np.inf), where=known)
    return ExpressionEvidence(mean.astype(np.float32), sigma.astype(np.float32))
