# SPDX-License-Identifier: Apache-2.0
"""`reenact.animate` counts motion from the frame that it is told."""

from __future__ import annotations

import pytest

import reenact
from reenact.media import InputError, read_image
from reenact.media.files import asset

HEAD = read_image(asset("demo/astronaut.jpg"))[:240, 106:346]
FACE = (slice(60, 180), slice(60, 180))


def test_the_frame_that_motion_is_counted_from_shows_the_source() -> None:
    subject, motion = reenact.fit_subject(HEAD), reenact.track("laughing")[20:80:20]
    photo = subject.references[0].image[FACE].float()
    frames = reenact.animate(subject, motion, mode="relative", neutral=1)
    errors = [float((frame[FACE].float() - photo).abs().mean()) for frame in frames]
    assert errors[1] < 1 < 3 < min(errors[0], errors[2])
    with pytest.raises(InputError, match="--neutral from 0 to 2"):
        reenact.animate(subject, motion, neutral=3)
