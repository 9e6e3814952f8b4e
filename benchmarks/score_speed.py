# SPDX-License-Identifier: Apache-2.0
"""What scoring costs: milliseconds a frame of each metric, on a bundled performance given twice by the demo photo.

    python -m benchmarks.score_speed --size 512 --frames 120

Needs the `evaluation` extra.  "observe" is decoding, resizing and both landmark networks on both videos.  Costs that do
not grow with the clip (two persons to fit, networks to load) are in there too: longer clips pay less a frame.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import tyro

from benchmarks.common import OUT, provenance, write_json
from reenact.head.arkit import REGIONS
from reenact.head.open import open_head
from reenact.lab.evaluation import score_clip
from reenact.media import VideoWriter
from reenact.pipeline import AnimateOptions, bundled_performance, make_warp, read_portrait
from reenact.tracking import load_motion
from reenact.transfer.retarget import retarget

PHOTO = Path(__file__).parents[1] / "src/reenact/assets/demo/astronaut.jpg"
BUDGET_MS = 250


@dataclass(frozen=True)
class Arguments:
    """Time the metrics."""

    size: int = 512
    """Side of both videos, px."""
    frames: int = 120
    """Length of both videos."""
    motion: str = "talking"
    """A bundled performance; repeated to and fro where it is shorter."""
    work: Path = OUT / "score_speed"
    """Where the result goes."""


def main(arguments: Arguments) -> None:
    """Make both videos, score one against the other, print and write the costs."""
    with tempfile.TemporaryDirectory() as folder:
        driver, output = Path(folder) / "driver.mp4", Path(folder) / "output.mp4"
        photo = make(driver, 1.0, arguments)
        make(output, 0.8, arguments)
        started = time.process_time()
        scores = score_clip(output, driver, photo, driver, "self")
        cpu_ms = round(1000 * (time.process_time() - started) / arguments.frames, 1)
    costs = {name: round(1000 * s / arguments.frames, 1) for name, s in scores.seconds.items()}
    total = round(sum(costs.values()), 1)
    about = provenance()
    print(f"{about['machine']}; {arguments.frames} frames, {arguments.size} x {arguments.size} px; self-reenactment")
    print("| metric | ms a frame |\n|---|---|")
    for name, cost in sorted(costs.items(), key=lambda item: -item[1]):
        print(f"| {name} | {cost} |")
    print(f"| all | {total} of {BUDGET_MS} allowed |")
    print(f"processor time {cpu_ms} ms a frame, which other work on the machine does not lengthen as much")
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(f"peak memory {peak_mib:.0f} MiB")
    result = {
        "size_px": arguments.size,
        "frames": arguments.frames,
        "ms_a_frame": costs,
        "all_ms": total,
        "cpu_ms": cpu_ms,
    }
    write_json(arguments.work / "score_speed.json", {**result, "peak_mib": round(peak_mib), **about})


def make(path: Path, strength: float, arguments: Arguments) -> np.ndarray:
    """Write the demo photo's performance at a strength; returns the photo, uint8 RGB [size, size, 3]."""
    model = open_head()
    portrait = read_portrait(model, PHOTO, AnimateOptions(size=arguments.size, crop=True))
    motion = bundled_performance(arguments.motion)
    if motion is None:
        raise SystemExit(f"there is no bundled performance {arguments.motion!r}")
    regions: dict[str, float] = dict.fromkeys((*REGIONS, "head"), strength)
    states = retarget(model, load_motion(motion), portrait.receiver, "relative", regions)
    generator = make_warp(portrait)
    with VideoWriter(path, Fraction(25), arguments.size, arguments.size) as writer:
        for k in range(arguments.frames):
            turn = k % (2 * len(states) - 2)
            writer.write(generator.render(states[min(turn, 2 * len(states) - 2 - turn)]))
    return portrait.crop.extract(portrait.image)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
