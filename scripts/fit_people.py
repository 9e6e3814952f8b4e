# SPDX-License-Identifier: Apache-2.0
"""Heads of the people that habits are learnt from: ``python -m scripts.fit_people CLIPS_FOLDER -o heads``.

Of each clip below at most 48 frames, evenly taken, are fitted as `reenact head` does, without a texture; what is there
already is kept. The clips are those of the development set whose repositories are under MIT or Apache-2.0, one a
person, none of a validation person. Then: ``reenact train habits heads/*.head -o habits.safetensors``.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import Positional, arg

from reenact.head.open import open_head
from reenact.media import InputError, VideoWriter, probe, read_frames
from reenact.perception.dense.shipped import shipped_estimator
from reenact.subject.head_fit import fit_head
from reenact.subject.store import save_head

MOST = 48
CLIPS = (
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


@dataclass
class Args:
    """Fit people."""

    clips: Positional[Annotated[Path, arg(metavar="FOLDER", help="Holds the clips.")]]
    output: Annotated[Path, arg(aliases=["-o"], help="Folder of the heads.")]
    names: tuple[str, ...] = CLIPS


def shortened(clip: Path, out: Path) -> None:
    """Every n-th frame, so that no more than MOST are left, hardly compressed."""
    info = probe(clip)
    count = sum(1 for _ in read_frames(info))
    step = -(-count // MOST)
    frames = (frame.image for frame in islice(read_frames(info), 0, None, step))
    first = next(frames)
    with VideoWriter(out, Fraction(info.fps) / step, first.shape[1], first.shape[0], crf=8) as writer:
        writer.write(first)
        for frame in frames:
            writer.write(frame)


def main(args: Args) -> None:
    model, looks = open_head(), shipped_estimator()
    args.output.mkdir(exist_ok=True)
    for name in args.names:
        out = args.output / f"{Path(name).stem}.head"
        if out.exists():
            continue
        with tempfile.TemporaryDirectory() as folder:
            short = Path(folder) / f"{Path(name).stem}.mp4"
            shortened(args.clips / name, short)
            try:
                head = fit_head(model, [short], looks, textured=False)
            except InputError as error:
                print(f"{name}: left out, {error}")
                continue
            save_head(head, out, {"source": name, "frames": MOST})
        print(f"{out}: {len(head.track)} frames", flush=True)


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
