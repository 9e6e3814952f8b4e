# SPDX-License-Identifier: Apache-2.0
"""Does the output do what the driver does? dlib's landmarks on both, compared over time.

    python -m benchmarks.independent_check
    python -m benchmarks.independent_check --photos liveportrait_s42.jpg --clips liveportrait_d0.mp4 --reuse

Needs the `evaluation` extra. Correlation says whether the motion is there, amplitude (standard deviation of the output
over that of the driver) whether it is timid or overdone. The second table says how far the detector can be believed on
each driver.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.common import OUT, SHARED, Recorded, animated, clip_file, motion_file, photo_file, record
from reenact.lab.evaluation.extra import version
from reenact.lab.evaluation.independent_detector import compare_motion, meets_targets, reliability
from reenact.lab.evaluation.landmarks68 import JITTERS, MEASURES, UNITS, Landmarks68, measure
from reenact.media.video import probe, read_frames
from reenact.transfer.motion_modes import Mode


@dataclass(frozen=True)
class Arguments(Recorded):
    """Compare outputs with their drivers by dlib's 68 points."""

    photos: tuple[str, ...] = ("personalive_presets_4.jpeg", "liveportrait_s2.jpg")
    """Names of development photos."""
    clips: tuple[str, ...] = ("liveportrait_d3.mp4", "liveportrait_d18.mp4")
    """Names of development clips."""
    every: int = 2
    """Look at every N-th frame only."""
    mode: Mode = "neutral"
    """Motion mode of the outputs."""
    size: int = 320
    """Side of the outputs in pixels."""
    reuse: bool = False
    """Take outputs that an earlier run left, instead of making them again."""
    shared: Path = SHARED
    """Folder that holds data/dev/photos and data/dev/clips."""
    work: Path = OUT / "independent_check"
    """Where motion files and videos go."""


def main(arguments: Arguments) -> None:
    """Animate, measure, record."""
    landmarks = Landmarks68()
    rows, reliable = [], {}
    for clip_name in arguments.clips:
        clip = clip_file(clip_name, arguments.shared)
        motion = motion_file(clip, arguments.work, arguments.reuse)
        frames = list(sampled(clip, arguments.every))
        driver = measure(landmarks.follow(frames))
        reliable[clip_name] = reliability(frames, landmarks, driver)
        del frames
        for photo_name in arguments.photos:
            photo = photo_file(photo_name, arguments.shared, arguments.work)
            video = animated(
                photo, motion, arguments.work, size=arguments.size, reuse=arguments.reuse, mode=arguments.mode
            )
            output = measure(landmarks.follow(sampled(video, arguments.every)))
            compared = compare_motion(driver, output, (probe(clip).fps, probe(video).fps))
            rows.append(row(photo_name, clip_name, compared))
            met = [name for name in MEASURES if meets_targets(compared, name)]
            print(f"{photo_name}, {clip_name}: within targets {', '.join(met) or 'nothing'}", flush=True)
    print(reliability_table(reliable))
    detector = f"{version('dlib-bin')}, 68-point shape predictor, mean over {len(JITTERS)} boxes"
    record("independent-check", rows, arguments, detector=detector, units=UNITS, reliability=reliable)


def sampled(video: Path, every: int) -> Iterator[np.ndarray]:
    """Yield every N-th frame, uint8 RGB [H, W, 3]."""
    return (frame.image for frame in islice(read_frames(video), 0, None, every))


def row(photo: str, clip: str, compared: dict[str, Any]) -> dict[str, str | int | float | None]:
    """Flatten a result of `compare_motion` to a row of the table."""
    out = {"photo": Path(photo).stem, "clip": Path(clip).stem}
    out |= {key: value for key, value in compared.items() if not isinstance(value, dict)}
    return out | {f"motion_{name}_{key}": value for name in MEASURES for key, value in compared[name].items()}


def reliability_table(reliable: dict[str, dict[str, dict[str, float | None]]]) -> str:
    """In Markdown: the detector on the drivers themselves, against itself mirrored and against MediaPipe."""
    measures = ("mouth", "eyes", "brow")
    lines = ["", "the detector on the drivers: correlation with itself mirrored / with MediaPipe x its amplitude"]
    lines += ["| clip | " + " | ".join(measures) + " |", "|---" * (1 + len(measures)) + "|"]
    for clip, by in reliable.items():
        cells = []
        for name in measures:
            texts = ["-" if value is None else f"{value:.2f}" for value in by[name].values()]
            cells.append(f"{texts[0]} / {texts[1]} x {texts[2]}")
        lines.append(f"| {Path(clip).stem} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
