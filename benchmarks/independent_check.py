# SPDX-License-Identifier: Apache-2.0
"""Does the output do what the driver does? dlib's landmarks on both, compared over time.

    python -m benchmarks.independent_check
    python -m benchmarks.independent_check --photos liveportrait_s42.jpg --clips liveportrait_d0.mp4 --reuse

Needs the `evaluation` extra. Correlation says whether the motion is there, amplitude (standard deviation of
the output over that of the driver) whether it is timid or overdone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from benchmarks.common import (
    OUT,
    SHARED,
    clip_file,
    motion_file,
    performed,
    photo_file,
    provenance,
    sha256,
    write_json,
)
from reenact.lab.evaluation.extra import version
from reenact.lab.evaluation.independent_detector import (
    AMPLITUDES,
    CORRELATIONS,
    RELATIVE_TO_OPENING,
    compare_motion,
    meets_targets,
    reliability,
)
from reenact.lab.evaluation.landmarks68 import JITTERS, MEASURES, UNITS, Landmarks68, measure, weights
from reenact.media.video import probe, read_frames
from reenact.transfer.motion_modes import Mode


@dataclass(frozen=True)
class Arguments:
    """Compare outputs with their drivers by dlib's 68 points."""

    photos: tuple[str, ...] = ("liveportrait_s42.jpg", "personalive_presets_4.jpeg", "liveportrait_s2.jpg")
    """Names of development photos."""
    clips: tuple[str, ...] = (
        "liveportrait_d0.mp4",
        "liveportrait_d3.mp4",
        "liveportrait_d10.mp4",
        "liveportrait_d18.mp4",
        "alp_driving_video.mp4",
    )
    """Names of development clips."""
    every: int = 1
    """Look at every N-th frame only."""
    mode: Mode = "neutral"
    """Motion mode of the outputs."""
    size: int = 512
    """Side of the outputs in pixels."""
    reuse: bool = False
    """Take outputs that an earlier run left, instead of making them again."""
    shared: Path = SHARED
    """Folder that holds data/dev/photos and data/dev/clips."""
    work: Path = OUT / "independent_check"
    """Where videos and the result go."""


def main(arguments: Arguments) -> None:
    """Make the outputs, measure, print a table, write a JSON file."""
    landmarks = Landmarks68()
    rows, trust = [], {}
    print(header())
    for clip_name in arguments.clips:
        clip = clip_file(clip_name, arguments.shared)
        motion = motion_file(clip, arguments.work, arguments.reuse)
        frames = list(sampled(clip, arguments.every))
        driver = measure(landmarks.follow(frames))
        trust[clip_name] = reliability(frames, landmarks, driver)
        del frames
        for photo_name in arguments.photos:
            photo = photo_file(photo_name, arguments.shared, arguments.work)
            video = performed(
                photo, motion, arguments.work, size=arguments.size, reuse=arguments.reuse, mode=arguments.mode
            )
            output = measure(landmarks.follow(sampled(video, arguments.every)))
            rates = probe(clip).fps, probe(video).fps
            rows.append({"photo": photo_name, "clip": clip_name} | compare_motion(driver, output, rates))
            print(table_line(rows[-1]), flush=True)
    print(summary(rows))
    print(trust_table(trust))
    write_json(
        arguments.work / f"independent_check-{arguments.mode}.json",
        {
            "extractor": {
                "name": f"{version('dlib-bin')}, 68-point shape predictor, mean over {len(JITTERS)} boxes",
                "weights": weights().name,
                "sha256": sha256(weights()),
            },
            "units": UNITS,
            "amplitude": "standard deviation over time of the output / of the driver",
            "targets": {"correlation": CORRELATIONS, "amplitude": AMPLITUDES},
            "mode": arguments.mode,
            "size_px": arguments.size,
            "every": arguments.every,
            **provenance(),
            "rows": rows,
            "detector_reliability": trust,
        },
    )


def sampled(video: Path, every: int) -> Iterator[np.ndarray]:
    """Every N-th frame, uint8 RGB [H, W, 3]."""
    return (frame.image for frame in islice(read_frames(video), 0, None, every))


def trust_table(trust: dict[str, dict[str, dict[str, float | None]]]) -> str:
    """In Markdown: the detector on the drivers themselves, against itself mirrored and against MediaPipe."""
    measures = ("mouth", "eyes", "brow")
    lines = ["", "the detector on the drivers: correlation with itself mirrored / with MediaPipe x its amplitude"]
    lines += ["| clip | " + " | ".join(measures) + " |", "|---" * (1 + len(measures)) + "|"]
    for clip, by in trust.items():
        cells = []
        for name in measures:
            texts = ["-" if v is None else f"{v:.2f}" for v in by[name].values()]
            cells.append(f"{texts[0]} / {texts[1]} x {texts[2]}")
        lines.append(f"| {Path(clip).stem} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def header() -> str:
    """The table's first two lines, in Markdown."""
    titles = ("photo", "clip", "frames", *MEASURES)
    return "| " + " | ".join(titles) + " |\n" + "|---" * len(titles) + "|"


def table_line(row: dict[str, Any]) -> str:
    """One row in Markdown: correlation x amplitude, a star where a target is missed."""
    cells = [Path(row["photo"]).stem, Path(row["clip"]).stem]
    missed = row["missed_driver"] + row["missed_output"]
    cells.append(f"{row['frames']}" + (f" ({missed} missed)" if missed else ""))
    for name in MEASURES:
        values = (row[name]["correlation"], row[name]["amplitude"])
        texts = ["-" if value is None else f"{value:.2f}" for value in values]
        cells.append(" x ".join(texts) + ("" if meets_targets(row, name) else " *"))
    return "| " + " | ".join(cells) + " |"


def summary(rows: list[dict[str, Any]]) -> str:
    """How many rows meet the targets, and the medians."""
    lines = ["", "correlation x amplitude; * misses a target"]
    for name in MEASURES:
        met = sum(meets_targets(row, name) for row in rows)
        medians = [
            np.median([row[name][kind] for row in rows if row[name][kind] is not None] or [np.nan])
            for kind in ("correlation", "amplitude")
        ]
        line = f"{name:10} {met}/{len(rows)} met, median {medians[0]:.2f} x {medians[1]:.2f}"
        if name in RELATIVE_TO_OPENING:
            own = [row[name]["amplitude_of_own_opening"] for row in rows]
            line += f" ({np.median([value for value in own if value is not None] or [np.nan]):.2f} of the own opening)"
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
