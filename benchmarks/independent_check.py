# SPDX-License-Identifier: Apache-2.0
"""Does the output do what the driver does? dlib's landmarks on both, compared over time.

    python -m benchmarks.independent_check
    python -m benchmarks.independent_check --photos liveportrait_s42.jpg --clips liveportrait_d0.mp4 --reuse

Needs the `evaluation` extra. Correlation says whether the motion is there, amplitude (standard deviation of
the output over that of the driver) whether it is timid or overdone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
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
from benchmarks.witness import reliability
from reenact.lab.evaluation.extra import version
from reenact.lab.evaluation.landmarks68 import JITTERS, MEASURES, UNITS, Landmarks68, agreement, measure, weights
from reenact.media.video import probe, read_frames
from reenact.transfer.motion_modes import Mode

TARGETS = {"mouth": 0.90, "width": 0.80, "eye_right": 0.80, "eye_left": 0.80, "eyes": 0.80, "brow": 0.80}
"""Correlations to reach."""
AMPLITUDES = (0.8, 1.25)
"""Range of amplitudes to stay in."""
OF_OWN = ("eye_right", "eye_left", "eyes")
"""Measures also compared as shares of how far each one's eyes stand open (90th percentile): narrow eyes that shut
fully move less than wide ones that do."""


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
            rows.append(compare(photo_name, clip_name, driver, output, rates))
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
            "targets": {"correlation": TARGETS, "amplitude": AMPLITUDES},
            "mode": arguments.mode,
            "size_px": arguments.size,
            "every": arguments.every,
            **provenance(),
            "rows": rows,
            "witness_reliability": {
                clip: {name: {k: _number(v) for k, v in checks.items()} for name, checks in by.items()}
                for clip, by in trust.items()
            },
        },
    )


def sampled(video: Path, every: int) -> Iterator[np.ndarray]:
    """Every N-th frame, uint8 RGB [H, W, 3]."""
    return (frame.image for frame in islice(read_frames(video), 0, None, every))


def compare(
    photo: str,
    clip: str,
    driver: dict[str, np.ndarray],
    output: dict[str, np.ndarray],
    fps: tuple[Fraction, Fraction],
) -> dict[str, Any]:
    """One row: correlation and amplitude of each measure over the frames that both have.

    Raises ValueError if the frame rates differ: frame k of one would then not be frame k of the other.
    """
    if fps[0] != fps[1]:
        raise ValueError(f"{clip} runs at {fps[0]} frames per second, its output for {photo} at {fps[1]}")
    counts = len(driver["mouth"]), len(output["mouth"])
    frames = min(counts)
    row: dict[str, Any] = {
        "photo": photo,
        "clip": clip,
        "frames": frames,
        "frames_driver": counts[0],
        "frames_output": counts[1],
        "missed_driver": int(np.isnan(driver["mouth"][:frames]).sum()),
        "missed_output": int(np.isnan(output["mouth"][:frames]).sum()),
    }
    for name in MEASURES:
        values = agreement(driver[name][:frames], output[name][:frames])
        correlation, amplitude = (_number(value) for value in values)
        spread = round(float(np.nanstd(driver[name][:frames])), 4)
        row[name] = {"correlation": correlation, "amplitude": amplitude, "driver_std": spread}
        if name in OF_OWN:
            open_eyes = [float(np.nanquantile(side[name], 0.9)) for side in (driver, output)]
            own = values[1] * open_eyes[0] / max(open_eyes[1], 1e-6)
            row[name]["amplitude_of_own_opening"] = _number(own)
    return row


def reached(row: dict[str, Any], name: str) -> bool:
    """Whether one measure of a row meets both its targets."""
    correlation, amplitude = row[name]["correlation"], row[name]["amplitude"]
    if correlation is None or amplitude is None:
        return False
    return correlation >= TARGETS[name] and AMPLITUDES[0] <= amplitude <= AMPLITUDES[1]


def trust_table(trust: dict[str, dict[str, dict[str, float]]]) -> str:
    """In Markdown: on the drivers themselves, the witness against itself mirrored / against MediaPipe."""
    measures = ("mouth", "eyes", "brow")
    lines = ["", "the witness on the drivers: correlation with itself mirrored / with MediaPipe x its amplitude"]
    lines += ["| clip | " + " | ".join(measures) + " |", "|---" * (1 + len(measures)) + "|"]
    for clip, by in trust.items():
        cells = (by[name] for name in measures)
        texts = [f"{c['mirrored']:.2f} / {c['other']:.2f} x {c['other_amplitude']:.2f}" for c in cells]
        lines.append(f"| {Path(clip).stem} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def _number(value: float) -> float | None:
    return round(value, 3) if np.isfinite(value) else None


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
        cells.append(" x ".join(texts) + ("" if reached(row, name) else " *"))
    return "| " + " | ".join(cells) + " |"


def summary(rows: list[dict[str, Any]]) -> str:
    """How many rows meet the targets, and the medians."""
    lines = ["", "correlation x amplitude; * misses a target"]
    for name in MEASURES:
        met = sum(reached(row, name) for row in rows)
        medians = [
            np.median([row[name][kind] for row in rows if row[name][kind] is not None] or [np.nan])
            for kind in ("correlation", "amplitude")
        ]
        line = f"{name:10} {met}/{len(rows)} met, median {medians[0]:.2f} x {medians[1]:.2f}"
        if name in OF_OWN:
            own = [row[name]["amplitude_of_own_opening"] for row in rows]
            line += f" ({np.median([value for value in own if value is not None] or [np.nan]):.2f} of the own opening)"
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
