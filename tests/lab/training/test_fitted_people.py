# SPDX-License-Identifier: Apache-2.0
"""How much of a clip a head is fitted to."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from reenact.lab.training.data.fitted_people import MAX_FRAMES, shortened
from reenact.media import VideoWriter, probe, read_frames


def test_a_long_clip_is_thinned_evenly(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "long.mp4", Fraction(25), 64, 64) as writer:
        for shade in range(100):
            writer.write(np.full((64, 64, 3), 2 * shade, np.uint8))
    shortened(tmp_path / "long.mp4", tmp_path / "short.mp4")
    shades = [frame.image.mean() / 2 for frame in read_frames(probe(tmp_path / "short.mp4"))]
    assert len(shades) == 34 <= MAX_FRAMES
    assert np.abs(np.asarray(shades) - np.arange(0, 100, 3)).max() < 1.5
