# SPDX-License-Identifier: Apache-2.0
"""Where the detector's points lie on one person's skin: brows sit higher or lower, and a cheek has no marks at all.

The head ties each landmark to one place of its mesh, found by showing the detector renders; the sightings scattered
by 2.7 mm.  The mean displacement over people is measured on synthetic people (assets/landmark_shifts.md), and every
fit starts from it; the rest differs from person to person.  A fit that ignores the rest explains it by expressions that
the person does not make: low inner brows become a frown held throughout, and its counterpart is held against it.  So a
clip may displace its points along the skin, smoothly.  The mesh does not move with them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from reenact.head.landmarks import IRIS, LANDMARKS, LEFT_BROW, LEFT_LIDS, LIPS, NOSE, RIGHT_BROW, RIGHT_LIDS
from reenact.head.model import ParametricHead
from reenact.head.open import OpenHead
from reenact.media.files import asset
from reenact.media.tensors import read_tensors

from .face_model import LandmarkModel

SHIFTS: Final = asset("landmark_shifts.safetensors")

# Lips, lids and nose are seen, and stay; irises are turned by the gaze.
_FIXED: Final = (*LIPS, *RIGHT_LIDS, *LEFT_LIDS, *NOSE, *IRIS[0], *IRIS[1])


def mean_placement(model: ParametricHead) -> Tensor:
    """Return the mean displacement [478, 3] of the detected landmarks from the mesh's, metres, canonical head space.

    It is zero for every head model but the open head, for whose mesh it was measured.
    """
    return _shifts() if model.name == OpenHead.name else torch.zeros(LANDMARKS, 3)


@lru_cache(maxsize=1)
def _shifts() -> Tensor:
    return read_tensors(SHIFTS, "file of landmark shifts")[0]["shifts"]


def placement_modes(model: LandmarkModel) -> Tensor:
    """[M, 478, 3] shifts along the skin, metres, each one standard deviation of an independent coefficient."""
    brows: list[list[int]] = [[*RIGHT_BROW], [*LEFT_BROW]]
    skin = sorted(set(range(len(model.neutral))) - {*_FIXED, *RIGHT_BROW, *LEFT_BROW})
    along = _tangents(model.normals.numpy())
    points = model.neutral.numpy()
    distance = np.linalg.norm(points[skin][:, None] - points[list(_FIXED)][None], axis=2).min(axis=1)
    # Bare skin has no marks: the detector guesses a point from those, the looser the farther it is from them. Points
    # shift alike over 9.5 mm of skin; a brow grows in one piece.
    groups = [(skin, np.minimum(0.2 * distance, 0.003), 0.0095)]
    groups += [(brow, np.full(len(brow), 0.002), 0.025) for brow in brows]
    return torch.from_numpy(np.concatenate([_modes(points, along, *group) for group in groups]))


def _tangents(normals: np.ndarray) -> np.ndarray:
    """[L, 3] -> [L, 2, 3] unit vectors along the skin: sideways, then up."""
    sideways = np.cross([0.0, 1.0, 0.0], normals)
    sideways /= np.linalg.norm(sideways, axis=1, keepdims=True) + 1e-9
    return np.stack([sideways, np.cross(normals, sideways)], axis=1)


def _modes(points: np.ndarray, along: np.ndarray, rows: list[int], sigma: np.ndarray, reach: float) -> np.ndarray:
    """[M, L, 3] leading modes of a Gaussian process on some points, for either direction along the skin."""
    gap = points[rows][:, None] - points[rows][None]
    variance, vectors = np.linalg.eigh(np.outer(sigma, sigma) * np.exp(-(gap**2).sum(axis=2) / (2 * reach**2)))
    variance, vectors = variance[::-1], vectors[:, ::-1]
    count = (
        int(np.searchsorted(np.cumsum(variance) / variance.sum(), 0.95)) + 1
    )  # the rest would be noise, point by point
    size = (vectors[:, :count] * np.sqrt(variance[:count])).T  # [count, rows]
    modes = np.zeros((count, 2, *points.shape), np.float32)
    modes[:, :, rows] = np.einsum("mr,rdc->mdrc", size, along[rows])
    return modes.reshape(-1, *points.shape)
