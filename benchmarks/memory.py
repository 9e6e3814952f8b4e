# SPDX-License-Identifier: Apache-2.0
"""Peak memory of `reenact animate` with a short and a long driving video: it must not grow with the video.

    python -m benchmarks.memory [--clip edtalk_pose_source2.mp4]

The driving videos are the first 100 and 1,000 frames of one clip, written anew; each run is a process of its own, whose
peak resident size the operating system reports.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import tyro

from benchmarks.common import DEMO_PHOTO, SHARED, Recorded, clip_file, record
from reenact.media import VideoWriter, probe, read_frames


@dataclass(frozen=True)
class Arguments(Recorded):
    """Measure peak memory."""

    shared: Path = SHARED
    """Folder that holds data/dev/clips."""
    clip: str = "edtalk_pose_source2.mp4"
    """Name of a development clip."""
    frames: tuple[int, ...] = (100, 1000)
    """Lengths of the driving videos."""


def peak_mib(photo: Path, driving: Path, output: Path) -> float:
    """Return the peak resident size in MiB of one run, measured in a fresh interpreter whose only child it is."""
    command = [sys.executable, "-m", "reenact", "animate", str(photo), str(driving), "-o", str(output), "--crop"]
    code = f"import subprocess, resource; subprocess.run({[*command, '--size', '512']!r}, check=True)\n"
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1]) / (1024**2 if sys.platform == "darwin" else 1024)


def main(arguments: Arguments) -> None:
    """Measure each length and record the peaks."""
    info = probe(clip_file(arguments.clip, arguments.shared))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for count in arguments.frames:
            driving = Path(folder) / f"{count}.mp4"
            with VideoWriter(driving, info.fps, info.width, info.height) as writer:
                for frame in islice(read_frames(info), count):
                    writer.write(frame.image)
            rows.append({"frames": count, "peak_mib": peak_mib(DEMO_PHOTO, driving, Path(folder) / "out.mp4")})
    record("memory", rows, arguments)


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
