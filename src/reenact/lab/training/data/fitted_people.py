# SPDX-License-Identifier: Apache-2.0
"""The part of a clip that a head is fitted to which teaches how faces move."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Final

from reenact.media import VideoWriter, probe, read_frames

MAX_FRAMES: Final = 48


def shortened(clip: Path, out: Path) -> None:
    """Write every n-th frame of a clip, hardly compressed, such that at most MAX_FRAMES are left."""
    info = probe(clip)
    count = sum(1 for _ in read_frames(info))
    step = -(-count // MAX_FRAMES)
    frames = (frame.image for frame in islice(read_frames(info), 0, None, step))
    first = next(frames)
    with VideoWriter(out, Fraction(info.fps) / step, first.shape[1], first.shape[0], crf=8) as writer:
        writer.write(first)
        for frame in frames:
            writer.write(frame)
