# SPDX-License-Identifier: Apache-2.0
"""A long video of the compact generator: who is seen at its end, and whether its windows show.

    python -m benchmarks.long_video [--seconds 60]

The demo photo gives a bundled motion, forwards and backwards in turn, so that it never jumps. CSIM is dlib's, of
the frames of the first and of the last second to the photo. Borders: mean absolute difference of consecutive frames
where one window gives way to the next over that elsewhere, after dividing by the warp's own difference at the same
place, which knows of no windows; 1 is none. Strips of frames around some borders are written, to look at.
"""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import tyro

from benchmarks.common import OUT, Recorded, demo, generated, record
from reenact.generator.choice import GeneratorOptions
from reenact.generator.diffusion.compact.flow import CompactPredictor
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.lab.evaluation.landmarks68 import Follower, Landmarks68
from reenact.lab.evaluation.metrics.identity import DlibIdentity, cosine
from reenact.media import write_image

FPS: Final = 25


@dataclass(frozen=True)
class Arguments(Recorded):
    """Generate a long video."""

    seconds: float = 60.0
    """Length of the video."""
    size: int = 256
    """Side of the video, px."""
    motion: str = "talking"
    """A bundled motion."""
    weights: Path | None = None
    """Of the compact generator; None: those that are shipped."""
    strips: int = 6
    """Borders of windows that are written as strips."""
    out: Path = OUT / "long_video"
    """Folder of the strips."""


def main(arguments: Arguments) -> None:
    """Generate, measure, record."""
    subject, there = demo(open_head(), arguments.size, arguments.motion)
    count = round(arguments.seconds * FPS)
    both = Motion.joined([there, there[-2:0:-1]])
    states = both[[i % len(both) for i in range(count)]]
    learned = generated(subject, states, GeneratorOptions("compact", weights=arguments.weights))
    warped = generated(subject, states, GeneratorOptions("warp"))
    stride = CompactPredictor.window - CompactPredictor.overlap
    kept: dict[int, np.ndarray] = {}
    steps = np.zeros((2, count - 1))
    ends = range(0, FPS, 3), range(count - FPS, count, 3)
    borders = [stride * (1 + i * (count // stride // (arguments.strips + 1))) for i in range(1, arguments.strips + 1)]
    wanted = {*ends[0], *ends[1]} | {b + i for b in borders for i in range(-3, 5)}
    before: tuple[np.ndarray, np.ndarray] | None = None
    started = time.perf_counter()
    for i, pair in enumerate(zip(learned, warped, strict=True)):
        if before is not None:
            steps[:, i - 1] = [np.abs(now.astype(float) - then).mean() for now, then in zip(pair, before, strict=True)]
        before = pair
        if i in wanted:
            kept[i] = pair[0]
    seconds = (time.perf_counter() - started) / count
    ratio = steps[0] / np.maximum(steps[1], 1e-3)
    at_border = np.asarray([(i + 1) % stride <= CompactPredictor.overlap and i + 1 >= stride for i in range(count - 1)])
    arguments.out.mkdir(parents=True, exist_ok=True)
    for b in borders:
        write_image(arguments.out / f"border-{b:05}.png", np.concatenate([kept[b + i] for i in range(-3, 5)], axis=1))
    photo = subject.require_reference().image.numpy()
    first, last = (csim(photo, [kept[i] for i in end]) for end in ends)
    values = {
        "CSIM to the photo, first second": first,
        "CSIM to the photo, last second": last,
        "change at borders of windows over elsewhere": float(
            np.median(ratio[at_border]) / np.median(ratio[~at_border])
        ),
        "change of the picture over the warp's": float(np.median(ratio)),
        "s a frame, warp and compact together": seconds,
        "peak memory, GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }
    rows = [{"what": what, "value": value} for what, value in values.items()]
    record("long-video", rows, arguments, frames=count, size=arguments.size)


def csim(photo: np.ndarray, frames: list[np.ndarray]) -> float:
    """Return the mean cosine of dlib's embeddings of frames and photo."""
    embed = DlibIdentity()

    def embedding(image: np.ndarray) -> np.ndarray:
        points = Follower(Landmarks68())(image)
        assert points is not None, "dlib finds no face"
        return embed(image, points)

    of_photo = embedding(photo)
    return float(np.mean([cosine(of_photo, embedding(frame)) for frame in frames]))


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
