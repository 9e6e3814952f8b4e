# SPDX-License-Identifier: Apache-2.0
"""Clips of the people from whose fitted heads habits are learnt (assets/habits.md), and how they are shortened."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Final

from reenact.media import VideoWriter, probe, read_frames

MAX_FRAMES: Final = 48
HABIT_CLIPS: Final = (
    "liveportrait_d0.mp4",
    "liveportrait_d6.mp4",
    "liveportrait_d9.mp4",
    "liveportrait_d10.mp4",
    "liveportrait_d12.mp4",
    "liveportrait_d14.mp4",
    "liveportrait_d19.mp4",
    "alp_d5.mp4",
    "alp_driving_video.mp4",
    "alp_d8.mp4",
    "video-retalking_face_1.mp4",
    "video-retalking_face_2.mp4",
    "video-retalking_face_3.mp4",
    "video-retalking_face_4.mp4",
    "hellomeme_jgz.mp4",
    "hellomeme_jue.mp4",
    "hellomeme_nice.mp4",
    "personalive_driving_video.mp4",
    "tpsmm_driving.mp4",
)
"""One clip a person, of development clips whose repositories are under MIT or Apache-2.0; no validation person."""


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
