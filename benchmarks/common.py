# SPDX-License-Identifier: Apache-2.0
"""Shared by the benchmarks: development files, outputs that are made once, and how a result is written down."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.tables import RESULTS, TABLES, result_table
from reenact.generator.choice import GeneratorOptions, make_generator
from reenact.head.open import open_head
from reenact.lab.evaluation.extra import provenance
from reenact.media.image import write_image
from reenact.media.video import read_frames
from reenact.pipeline import AnimateOptions, animate, bundled_motion, cropped, head_crop
from reenact.rendering.head_renderer import HeadRenderer
from reenact.subject.fit_subject import fit_subject
from reenact.tracking import load_motion, save_motion, track
from reenact.transfer.retarget import retarget

if TYPE_CHECKING:
    import numpy as np

    from reenact.head.model import ParametricHead
    from reenact.head.motion import Motion
    from reenact.head.subject import Subject
    from reenact.transfer.motion_modes import Mode

REPOSITORY = Path(__file__).parents[1]
SHARED = REPOSITORY.parent / "shared"
OUT = REPOSITORY / "out" / "benchmarks"
DEMO_PHOTO = REPOSITORY / "src" / "reenact" / "assets" / "demo" / "astronaut.jpg"


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Options of every benchmark whose result is a table of docs/."""

    record: bool = False
    """Write to benchmarks/results, from which the tables of docs/ are made, and not to out/benchmarks."""


def record(name: str, rows: Sequence[Mapping[str, Any]], arguments: Recorded, **details: Any) -> None:
    """Print a result as the table of docs/ and write it with its commit, date, machine and command.

    Args:
        name: of the result; `TABLES` says which table shows it.
        rows: of the table, values by column key.
        arguments: whether the result goes to benchmarks/results/NAME.json or to out/benchmarks/NAME.json.
        details: more than the table shows; written to out/benchmarks/NAME-details.json.
    """
    about = provenance()
    main = sys.modules["__main__"].__spec__
    module = "benchmarks" if main is None else main.name.removesuffix(".__main__")
    result = {
        "command": f"python -m {module} {shlex.join(a for a in sys.argv[1:] if a != '--record')}".strip(),
        "commit": about["commit"][:7] + (" and uncommitted changes" if about["uncommitted_changes"] else ""),
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": about["machine"],
        "rows": list(rows),
    }
    for table in TABLES.values():
        if table.shows(name):
            print(result_table(table, [result]))
    write_json((RESULTS if arguments.record else OUT) / f"{name}.json", result)
    if details:
        write_json(OUT / f"{name}-details.json", {**about, **details})


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a result file that people can read, too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(f"wrote {path}")


def photo_file(name: str, shared: Path, work: Path) -> Path:
    """Return the development photo of that name; for the name of a clip, its first frame, saved under `work`."""
    photo = shared / "data" / "dev" / "photos" / name
    if photo.exists():
        return photo
    still = work / "photos" / f"{Path(name).stem}.png"
    if not still.exists():
        still.parent.mkdir(parents=True, exist_ok=True)
        write_image(still, next(read_frames(clip_file(name, shared))).image)
    return still


def clip_file(name: str, shared: Path) -> Path:
    """Return the path of the development clip of that name."""
    return shared / "data" / "dev" / "clips" / name


def motion_file(clip: Path, work: Path, reuse: bool) -> Path:
    """Track a clip once for all photos of a run and return the motion file."""
    motion = work / "motion" / f"{clip.stem}.motion.safetensors"
    if not (reuse and motion.exists()):
        motion.parent.mkdir(parents=True, exist_ok=True)
        save_motion(track(open_head(), clip).motion, motion)
    return motion


def animated(photo: Path, motion: Path, work: Path, *, size: int, reuse: bool, mode: Mode = "neutral") -> Path:
    """Animate a photo with a motion file and return the video: the head in a square of `size` pixels."""
    clip = motion.name.split(".")[0]
    output = work / "videos" / f"{photo.stem}--{clip}--{mode}-{size}.mp4"
    if not (reuse and output.exists()):
        output.parent.mkdir(parents=True, exist_ok=True)
        animate(photo, motion, output, AnimateOptions(mode=mode, size=size, crop=True))
    return output


def subject_in_square(model: ParametricHead, photo: Path, size: int) -> Subject:
    """Fit the person of a photo; the reference is the square around the head, resized to `size` pixels."""
    subject = fit_subject(model, [photo])
    crop = head_crop(subject, AnimateOptions(crop=True, size=size))
    return subject.replace(references=(cropped(subject.require_reference(), crop),))


def generated(subject: Subject, motion: Motion, options: GeneratorOptions) -> Iterator[np.ndarray]:
    """Yield the frames [P, P, 3] uint8 of a subject whose reference is a square."""
    reference = subject.require_reference()
    generator = make_generator(subject, reference, options)
    maps = partial(HeadRenderer(subject, reference).stream, motion)
    return (frame.numpy() for frame in generator.frames(motion, maps))


def demo(
    model: ParametricHead, size: int, motion: str, strengths: dict[str, float] | None = None
) -> tuple[Subject, Motion]:
    """Fit the demo photo's person in a square and retarget a bundled motion to it, in relative motion.

    Args:
        model: the open head.
        size: side of the output, px.
        motion: name of the bundled motion.
        strengths: by region, as `reenact animate --strength` takes them.
    """
    path = bundled_motion(motion)
    if path is None:
        raise SystemExit(f"no bundled motion is called {motion}")
    subject = subject_in_square(model, DEMO_PHOTO, size)
    return subject, retarget(load_motion(path), subject, "relative", strengths)


def fastest_ms(act: Callable[[], object], repeats: int) -> float:
    """Return the milliseconds of the fastest of some calls after one to warm up; `act` waits for its own device."""
    act()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        act()
        taken.append(time.perf_counter() - started)
    return 1000.0 * min(taken)
