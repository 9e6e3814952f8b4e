# SPDX-License-Identifier: Apache-2.0
"""Evidence: what networks say of each action, of the head's pose and of its distance, as means and deviations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]


@dataclass(frozen=True)
class PoseEvidence:
    """Gaussians over rotation and distance of the heads of F frames.

    Rotations are relative to the line of sight: of a frame that a camera would have that turned, by the shortest way,
    from its axis to the middle of the face. Without the camera a picture of a face says no more.
    """

    R_ray_head: Float  # [F, 3, 3]
    rotation_sigma: Float  # [F, 3] rad, about the axes of that frame
    log_distance: Float  # [F] logarithm of metres, of a head scaled to the base adult's size
    log_distance_sigma: Float  # [F]

    def rows(self, index: slice | NDArray[np.integer] | NDArray[np.bool_]) -> PoseEvidence:
        """Return the evidence of some frames."""
        return PoseEvidence(*(getattr(self, f.name)[index] for f in fields(self)))

    @staticmethod
    def joined(parts: Sequence[PoseEvidence]) -> PoseEvidence:
        """Concatenate parts along the frames."""
        return PoseEvidence(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(PoseEvidence)))


@dataclass(frozen=True)
class ExpressionEvidence:
    """Independent Gaussians over the expression codes of F frames, in the order of `heads.arkit.ACTIONS`."""

    mean: Float  # [F, 52]
    sigma: Float  # [F, 52] standard deviation, inf where nothing is known
    pose: PoseEvidence | None = None  # of the same frames

    def __len__(self) -> int:
        return len(self.mean)

    def rows(self, index: slice | NDArray[np.integer] | NDArray[np.bool_]) -> ExpressionEvidence:
        """Return the evidence of some frames."""
        pose = None if self.pose is None else self.pose.rows(index)
        return ExpressionEvidence(self.mean[index], self.sigma[index], pose)

    @staticmethod
    def joined(parts: Sequence[ExpressionEvidence]) -> ExpressionEvidence:
        """Concatenate parts along the frames; the pose is kept if all of them have one."""
        poses = [p.pose for p in parts if p.pose is not None]
        pose = PoseEvidence.joined(poses) if len(poses) == len(parts) else None
        return ExpressionEvidence(
            np.concatenate([p.mean for p in parts]), np.concatenate([p.sigma for p in parts]), pose
        )


def fuse(sources: Sequence[ExpressionEvidence]) -> ExpressionEvidence:
    """Combine sources about the same frames by their precision; at most one of them may know the pose.

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
    pose = next((s.pose for s in sources if s.pose is not None), None)
    return ExpressionEvidence(mean.astype(np.float32), sigma.astype(np.float32), pose)
