# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import numpy as np

from reenact.media import read_image
from reenact.media.files import asset
from reenact.perception.person_mask import person_mask

PHOTO = asset("demo/astronaut.jpg")


def test_the_astronaut_is_a_person_and_the_wall_is_not() -> None:
    mask = person_mask(read_image(PHOTO)[:300, 80:380])
    assert mask.shape == (300, 300) and mask.dtype == np.float32
    assert mask.min() >= 0.0 and mask.max() <= 1.0
    assert mask[90:150, 120:170].mean() > 0.95  # face
    assert mask[:40, :60].mean() < 0.1  # wall
