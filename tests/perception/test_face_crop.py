# SPDX-License-Identifier: Apache-2.0
"""The square that the expression network sees does not depend on where, how large and how tilted a face is."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from reenact.head.open import open_head
from reenact.perception.face_crop import crop_matrix, face_crop

SIDE = 64


def landmarks() -> np.ndarray:
    """[478, 2] px of the mean head, seen from in front in a picture of 300 px."""
    head = open_head()
    marks = head.topology.at_landmarks(head.neutral(torch.zeros(head.identity_size))).numpy()
    return 1500.0 * marks[:, :2] * np.asarray([1.0, -1.0]) + 150.0


@pytest.mark.parametrize(("turn", "scale"), [(0.0, 1.0), (0.6, 1.3), (-1.2, 0.5), (3.0, 2.0)])
def test_landmarks_of_the_crop_are_the_same_for_every_similarity(turn: float, scale: float) -> None:
    points = landmarks()
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    moved = points @ np.asarray([[c, -s], [s, c]]).T + (40.0, -25.0)

    def inside(p: np.ndarray) -> np.ndarray:
        matrix = crop_matrix(p, SIDE)
        return p @ matrix[:, :2].T + matrix[:, 2]

    np.testing.assert_allclose(inside(moved), inside(points), atol=1e-6)
    assert (inside(points) > 0).all() and (inside(points) < SIDE).all()


def test_a_large_picture_is_shrunk_before_it_is_sampled() -> None:
    """The same face at four times the size gives nearly the same crop; sampled as it is, fine noise would alias."""
    points = landmarks()
    speckle = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    small = np.asarray(cv2.GaussianBlur(speckle, (0, 0), 3), np.uint8)
    large = cv2.resize(small, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    noisy = np.clip(large + np.random.default_rng(1).normal(0, 40, large.shape), 0, 255).astype(np.uint8)
    wanted = face_crop(small, points, SIDE).astype(float)
    found = face_crop(noisy, 4.0 * (points + 0.5) - 0.5, SIDE).astype(float)
    assert np.abs(found - wanted).mean() < 8.0
