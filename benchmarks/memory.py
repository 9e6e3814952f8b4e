# SPDX-License-Identifier: Apache-2.0
"""Peak memory of `reenact animate` for a short and a long performance: it must not grow with the video.

    python -m benchmarks.memory [--clip edtalk_pose_source2.mp4]

The performances are the first 100 and 1,000 frames of one clip, written anew; each is tracked and painted by the
command line in a process of its own, whose peak resident size the operating system reports.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import tyro

from benchmarks.common import OUT, REPOSITORY, SHARED, clip_file, provenance, write_json
from reenact.media import VideoWriter, probe, read_frames

PHOTO = REPOSITORY / "src/reenact/assets/demo/astronaut.jpg"


@dataclass
class Args:
    """Measure peak memory."""

    shared: Path = SHARED
    clip: str = "edtalk_pose_source2.mp4"
    frames: tuple[int, int] = (100, 1000)
    out: Path = OUT / "memory.json"


def peak_mib(photo: Path, performance: Path, output: Path) -> float:
    """Peak resident size in MiB of one run, measured in a fresh interpreter whose only child it is."""
    command = [sys.executable, "-m", "reenact", "animate", str(photo), str(performance), "-o", str(output), "--crop"]
    code = f"import subprocess, resource; subprocess.run({[*command, '--size', '512']!r}, check=True)\n"
    code += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout.splitlines()[-1]) / (1024**2 if sys.platform == "darwin" else 1024)


def main(args: Args) -> None:
    info = probe(clip_file(args.clip, args.shared))
    peaks: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in args.frames:
            performance = Path(folder) / f"{count}.mp4"
            with VideoWriter(performance, info.fps, info.width, info.height) as writer:
                for frame in islice(read_frames(info), count):
                    writer.write(frame.image)
            peaks[str(count)] = peak_mib(PHOTO, performance, Path(folder) / "out.mp4")
            print(f"{count} frames: {peaks[str(count)]:.0f} MiB")
    short, long = peaks.values()
    print(f"long / short: {long / short:.3f}")
    write_json(args.out, {**provenance(), "unit": "MiB, peak resident", "peak": peaks, "ratio": long / short})


if __name__ == "__main__":
    main(tyro.cli(Args))
