# SPDX-License-Identifier: Apache-2.0
"""A long video of the compact generator: who is seen at its end, and whether its windows show.

    python -m benchmarks.generator_long [--seconds 60]

The demo photo gives a bundled performance, forwards and backwards in turn, so that it never jumps. CSIM: dlib's, of the
frames of the first and of the last second to the photo. Seams: mean absolute difference of consecutive frames where one
window gives way to the next over that elsewhere, after dividing by the warp's own difference at the same place, which
knows of no windows; 1 is none. Writes strips of frames around some borders, to look at.
"""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from benchmarks.common import OUT, REPOSITORY, provenance, write_json
from reenact.generator.choice import GeneratorOptions
from reenact.generator.diffusion.compact.painter import CompactPainter
from reenact.head.open import open_head
from reenact.lab.evaluation.landmarks68 import Follower, Landmarks68
from reenact.lab.evaluation.metrics.identity import DlibIdentity, cosine
from reenact.media import write_image
from reenact.pipeline import AnimateOptions, bundled_performance, make_generator, read_portrait
from reenact.tracking import load_motion
from reenact.transfer.retarget import retarget

PHOTO = REPOSITORY / "src/reenact/assets/demo/astronaut.jpg"
FPS = 25


@dataclass
class Args:
    """Paint long."""

    seconds: float = 60.0
    size: int = 256
    motion: str = "talking"
    weights: Path | None = None
    """Of the compact generator; None: those that are shipped."""
    strips: int = 6
    out: Path = OUT / "generator_long"


def main(args: Args) -> None:
    motion = bundled_performance(args.motion)
    assert motion is not None
    model = open_head()
    portrait = read_portrait(model, PHOTO, AnimateOptions(crop=True, size=args.size))
    there = retarget(model, load_motion(motion), portrait.receiver, "relative", {})
    count = round(args.seconds * FPS)
    both = [*there, *there[-2:0:-1]]
    states = [both[i % len(both)] for i in range(count)]
    painted = make_generator(portrait, GeneratorOptions("compact", weights=args.weights)).frames(states)
    warped = make_generator(portrait, GeneratorOptions("warp")).frames(states)
    stride = CompactPainter.window - CompactPainter.overlap
    kept: dict[int, np.ndarray] = {}
    steps = np.zeros((2, count - 1))
    shown = set(range(0, FPS, 3)) | set(range(count - FPS, count, 3))
    borders = [stride * (1 + i * (count // stride // (args.strips + 1))) for i in range(1, args.strips + 1)]
    shown |= {b + i for b in borders for i in range(-3, 5)}
    before: tuple[np.ndarray, np.ndarray] | None = None
    begun = time.perf_counter()
    for i, pair in enumerate(zip(painted, warped, strict=True)):
        if before is not None:
            steps[:, i - 1] = [np.abs(now.astype(float) - then).mean() for now, then in zip(pair, before, strict=True)]
        before = pair
        if i in shown:
            kept[i] = pair[0]
    took = (time.perf_counter() - begun) / count
    ratio = steps[0] / np.maximum(steps[1], 1e-3)
    at_border = np.asarray([(i + 1) % stride <= CompactPainter.overlap and i + 1 >= stride for i in range(count - 1)])
    args.out.mkdir(parents=True, exist_ok=True)
    photo = portrait.crop.extract(portrait.image)
    first, last = (csim(photo, [kept[i] for i in part]) for part in (range(0, FPS, 3), range(count - FPS, count, 3)))
    rows = {
        "CSIM to the photo, first second": first,
        "CSIM to the photo, last second": last,
        "seams, change at borders over elsewhere": float(np.median(ratio[at_border]) / np.median(ratio[~at_border])),
        "change of the picture over the warp's": float(np.median(ratio)),
        "s a frame, warp and compact together": took,
        "peak memory, GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }
    for b in borders:
        write_image(args.out / f"border-{b:05}.png", np.concatenate([kept[b + i] for i in range(-3, 5)], axis=1))
    for name, value in rows.items():
        print(f"{name:42} {value:.4f}")
    write_json(args.out / "generator_long.json", {**provenance(), "frames": count, "size": args.size, "rows": rows})


def csim(photo: np.ndarray, frames: list[np.ndarray]) -> float:
    """Mean cosine of dlib's embeddings."""
    embed = DlibIdentity()

    def who(image: np.ndarray) -> np.ndarray:
        points = Follower(Landmarks68())(image)
        assert points is not None, "dlib finds no face"
        return embed(image, points)

    mine = who(photo)
    return float(np.mean([cosine(mine, who(frame)) for frame in frames]))


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
