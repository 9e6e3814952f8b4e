# SPDX-License-Identifier: Apache-2.0
"""Every difficult file through the command line: a video, or one clear sentence and exit code 2.

    python -m benchmarks.hard_files
    python -m benchmarks.hard_files --only derived insightface_mask

Each file is tried as the photo, a video too, and each video also drives the demo photo. Each try has a folder of its
own, in which nothing but the finished video may be left.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from benchmarks.common import DEMO_PHOTO, OUT, REPOSITORY, SHARED, Recorded, record
from reenact.media.errors import InputError
from reenact.media.video import probe, read_frames

GOOD = ("video", "refused")


@dataclass(frozen=True)
class Arguments(Recorded):
    """Run the command line on every difficult file and list what happened."""

    only: tuple[str, ...] = ()
    """Only files whose names contain one of these."""
    performance: str = "winks"
    """The bundled motion that drives the photos."""
    size: int = 256
    """Longer side of the outputs in pixels."""
    limit_s: float = 300.0
    """A try that takes longer counts as hanging."""
    shared: Path = SHARED
    """Folder that holds data/hard."""
    work: Path = OUT / "hard_files"
    """Where the videos go."""


@dataclass(frozen=True)
class Try:
    """What happened to one file in one role."""

    file: str
    role: str
    outcome: str
    detail: str
    exit_code: int | None
    seconds: float


def main(arguments: Arguments) -> None:
    """Run all tries and record the counts; exit code 1 if any outcome is a fault."""
    arguments.work.mkdir(parents=True, exist_ok=True)
    print("| file | as | outcome | detail | s |\n|---|---|---|---|---|")
    tries = []
    for file, role in candidates(arguments):
        tries.append(attempt(file, role, arguments))
        one = tries[-1]
        detail = one.detail.replace("|", "/")
        print(f"| {one.file} | {one.role} | {one.outcome} | {detail} | {one.seconds:.0f} |", flush=True)
    counts = Counter(one.outcome for one in tries)
    rows = [{"outcome": outcome, "tries": count} for outcome, count in counts.most_common()]
    record("hard-files", rows, arguments, each=[asdict(one) for one in tries])
    sys.exit(any(one.outcome not in GOOD for one in tries))


def candidates(arguments: Arguments) -> Iterator[tuple[Path, str]]:
    """Every file as a photo, every video also as a performance."""
    for folder, roles in (("photos", ("photo",)), ("clips", ("photo", "performance"))):
        for file in sorted((arguments.shared / "data" / "hard" / folder).iterdir()):
            if not arguments.only or any(part in file.name for part in arguments.only):
                yield from ((file, role) for role in roles)


def attempt(file: Path, role: str, arguments: Arguments) -> Try:
    """Run `reenact animate` once, in an empty folder, and judge what it leaves."""
    inputs = [str(file), arguments.performance] if role == "photo" else [str(DEMO_PHOTO), str(file)]
    with tempfile.TemporaryDirectory(dir=arguments.work) as name:
        folder = Path(name)
        command = [sys.executable, "-m", "reenact", "animate", *inputs, "-o", "out.mp4", "--crop"]
        command += ["--size", str(arguments.size)]
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "src")}
        started = time.monotonic()
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                timeout=arguments.limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Try(file.name, role, "hang", f"over {arguments.limit_s:.0f} s", None, arguments.limit_s)
        seconds = round(time.monotonic() - started, 1)
        outcome, detail = judge(done, folder)
        if outcome == "video":
            kept = arguments.work / f"{file.stem}-as-{role}.mp4"
            (folder / "out.mp4").replace(kept)
    detail = detail.replace(str(file.parent) + "/", "")
    return Try(file.name, role, outcome, detail, done.returncode, seconds)


def judge(done: "subprocess.CompletedProcess[str]", folder: Path) -> tuple[str, str]:
    """(outcome, detail) of a finished run: `video` and `refused` are good, everything else is a fault."""
    left = sorted(path.name for path in folder.iterdir())
    said = [line for line in done.stderr.splitlines() if line.startswith("reenact: ")]
    if "Traceback" in done.stderr or done.returncode not in (0, 2):
        return "crash", (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if done.returncode == 2:
        if left:
            return "left-overs", ", ".join(left)
        if not said or not re.search(r"\S{3,} \S+ \S+", said[-1]):
            return "no sentence", done.stderr.strip()
        return "refused", said[-1].removeprefix("reenact: ")
    if left != ["out.mp4"]:
        return "left-overs", ", ".join(left) or "nothing written"
    try:
        frames = sum(1 for _ in read_frames(folder / "out.mp4"))
    except InputError as error:
        return "broken video", str(error)
    info = probe(folder / "out.mp4")
    warnings = "".join(f"; {line.removeprefix('reenact: ')}" for line in said)
    return "video", f"{info.width}x{info.height}, {frames} frames at {float(info.fps):.5g}/s{warnings}"


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
