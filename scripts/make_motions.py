# SPDX-License-Identifier: Apache-2.0
"""Track the bundled motions: ``python -m scripts.make_motions --clips FOLDER``.

Only numbers derived from the clips are shipped, and only of clips whose repository's licence permits it (see the card
beside the files).  Landmarks show nothing of the tongue: where it is out was noted by eye, frame by frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import tyro
from scipy.ndimage import gaussian_filter1d

from reenact.head.arkit import index
from reenact.head.open import open_head
from reenact.media.files import asset
from reenact.tracking import save_motion, track

OUTPUT = asset("motions")


@dataclass(frozen=True)
class Take:
    """A stretch of a clip."""

    clip: str
    start: int
    stop: int
    tongue: tuple[tuple[int, int], ...] = ()
    """First and last frame of each stretch with the tongue out."""


TAKES = {
    "talking": Take("liveportrait_d10.mp4", 100, 330),
    "laughing": Take("liveportrait_d12.mp4", 0, 110),
    "smile": Take("liveportrait_d0.mp4", 0, 78),
    "surprise": Take("liveportrait_d3.mp4", 284, 354),
    "frown": Take("liveportrait_d3.mp4", 40, 200),
    "winks": Take("alp_driving_video.mp4", 0, 178),
    "looking-around": Take("liveportrait_d11.mp4", 90, 225),
    "pout": Take("alp_d5.mp4", 20, 148),
    "tongue": Take(
        "liveportrait_d6.mp4",
        294,
        382,
        ((298, 302), (309, 312), (323, 332), (339, 341), (353, 361), (368, 376)),
    ),
}


@dataclass
class Args:
    """Track the bundled motions anew."""

    clips: Path
    only: list[str] = field(default_factory=list)


def main(args: Args) -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for name in args.only or TAKES:
        take = TAKES[name]
        whole = track(open_head(), args.clips / take.clip).motion
        out = np.zeros(len(whole), np.float32)
        for first, last in take.tongue:
            out[first : last + 1] = 1.0
        expression = whole.expression.clone()
        expression[:, index("tongueOut")] = torch.from_numpy(gaussian_filter1d(out, 1.0))
        # Dynamic offsets are the performer's own and ten times as large as all else.
        cut = whole.replace(expression=expression, landmark_offset=None, dynamic_offset=None)[take.start : take.stop]
        clip = cut.require_clip()
        cut = cut.replace(clip=replace(clip, frame=clip.frame - clip.frame[0]))
        path = OUTPUT / f"{name}.motion.safetensors"
        save_motion(cut, path)
        print(f"{path}: {len(cut)} frames, {path.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(tyro.cli(Args))
