# SPDX-License-Identifier: Apache-2.0
"""A tongue is told from teeth, from the dark of a mouth and from lips, in any light; a glimpse of one is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from reenact.head.landmarks import INNER_LIPS, OUTER_LIPS
from reenact.head.open import open_head
from reenact.perception.tongue import tongue_out, without_glimpses

SKIN, LIPS, DARK, TEETH, TONGUE = (205, 160, 140), (190, 95, 95), (85, 14, 22), (225, 215, 200), (200, 105, 105)
SIDE = 320


def mouth(
    inside: tuple[int, int, int], opening: float, light: float = 1.0, teeth: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """A drawn face, its inner lips `opening` of the mouth's width apart; and its landmarks."""
    marks = open_head().topology.at_landmarks(open_head().base_neutral)[:, :2].numpy()
    points = (marks * [1800.0, -1800.0] + [SIDE / 2, SIDE / 3]).astype(np.float32)
    width = float(np.linalg.norm(points[61] - points[291]))
    centre = points[[13, 14]].mean(axis=0)
    for ring, half in ((INNER_LIPS, 0.5 * opening), (OUTER_LIPS, 0.5 * opening + 0.16)):
        angle = np.linspace(np.pi, 3.0 * np.pi, len(ring), endpoint=False)
        points[list(ring)] = centre + width * np.column_stack([0.5 * np.cos(angle), half * np.sin(angle)])
    image = np.full((SIDE, SIDE, 3), SKIN, np.uint8)
    for ring, colour in ((OUTER_LIPS, LIPS), (INNER_LIPS, inside)):
        cv2.fillPoly(image, [np.round(points[list(ring)]).astype(np.int32)], colour)
    if teeth:
        low, high = (centre + np.asarray([side * 0.4 * width, -up]) for side, up in ((-1, 30), (1, 4)))
        cv2.rectangle(image, low.astype(int).tolist(), high.astype(int).tolist(), TEETH, -1)
    noisy = image * light + np.random.default_rng(0).normal(0, 3, image.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), points


@pytest.mark.parametrize("light", [0.45, 0.8, 1.1])
def test_a_tongue_that_fills_the_mouth_is_out_in_any_light(light: float) -> None:
    assert tongue_out(*mouth(TONGUE, 0.45, light)) > 0.9
    for other in (DARK, TEETH):
        assert tongue_out(*mouth(other, 0.45, light)) == 0.0


def test_a_tongue_behind_teeth_or_in_a_mouth_hardly_open_is_in() -> None:
    assert tongue_out(*mouth(TONGUE, 0.6, teeth=True)) < 0.4
    assert tongue_out(*mouth(TONGUE, 0.15)) == 0.0
    assert 0.0 < tongue_out(*mouth(TONGUE, 0.28)) < 1.0


def test_a_glimpse_of_a_tongue_is_none() -> None:
    seen = np.zeros(20)
    seen[3:5], seen[10:16] = 1.0, 0.8
    kept = without_glimpses(seen)
    assert kept[:8].max() == 0.0 and kept[11:15] == pytest.approx(0.8)
    assert without_glimpses(np.ones(1)).tolist() == [1.0]
