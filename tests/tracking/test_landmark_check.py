# SPDX-License-Identifier: Apache-2.0
"""The landmark detector as a check of where a mesh's landmarks are."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import pytest
import torch

from reenact.head.open import open_head
from reenact.tracking.landmark_check import landmarks_off_mm


def test_it_agrees_with_the_open_head_and_notices_landmarks_laid_wrongly() -> None:
    head = open_head()
    off = landmarks_off_mm(head)
    assert off is not None and off < 4.0
    # As if the open head had been laid 15 mm too low.
    wrong = copy(head)
    wrong.name = "another head"
    low = head.topology.at_landmarks(head.base_neutral) - torch.tensor([0, 0.015, 0])
    nearest = ((head.base_neutral[None] - low[:, None]) ** 2).sum(2).argmin(1)
    vertices = nearest[:, None].repeat(1, 3)
    wrong.topology = replace(head.topology, landmark_vertices=vertices)
    assert landmarks_off_mm(wrong) == pytest.approx(15.0, abs=4.0)
