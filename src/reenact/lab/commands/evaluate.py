# SPDX-License-Identifier: Apache-2.0
"""`reenact evaluate`: run ours and the baselines, score anybody's videos, compare two results."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional, arg

from reenact.app.arguments import BadArgument, Verbose, check_output
from reenact.app.progress import ProgressLine
from reenact.media.progress import Progress

if TYPE_CHECKING:
    from reenact.lab.evaluation.protocol import Manifest

_OURS = ("reenact-warp", "STATIC", "WARP-2D", "REAL")
Systems = Annotated[
    tuple[str, ...],
    arg(metavar="NAME", help="What to run; no table can be read without the last three."),
]
Identity = Annotated[
    tuple[Path, ...],
    arg(
        metavar="FILE.onnx",
        help="ArcFace-style networks to measure identity with, beside dlib's: RGB, 112 px.",
        help_behavior_hint="(default: none)",
    ),
]
Jobs = Annotated[
    int | None, arg(metavar="N", help="Pairs at a time.", help_behavior_hint="(default: one a processor core)")
]


@dataclass(frozen=True)
class Run:
    """Make and score videos of the validation people: this project, a frozen photo, a 2D warp, the real video.

    Example: reenact evaluate run --data FOLDER -o out/validation --protocol self
    """

    data: Annotated[Path, arg(metavar="FOLDER", help="Holds dev/clips and dev/photos, or what --manifest names.")]
    output: Annotated[
        Path, arg(aliases=["-o"], metavar="FOLDER", help="Where inputs, videos, scores and the report go.")
    ]
    protocol: Annotated[Literal["self", "cross"], arg(help="Photo and driver one person, or two.")] = "self"
    manifest: Annotated[Path | None, arg(metavar="JSON", help="Your own pairs, not the validation people.")] = None
    systems: Systems = _OURS
    mode: Annotated[
        Literal["neutral", "relative", "absolute", "both"],
        arg(help="Motion mode of the pairs; both: relative and absolute."),
    ] = "both"
    frames: Annotated[
        int | None,
        arg(
            metavar="N",
            help="Of each driver, from its first.",
            help_behavior_hint="(default: 60 in self-, 30 in cross-reenactment, which has more pairs)",
        ),
    ] = None
    identity: Identity = ()
    jobs: Jobs = None
    verbose: Verbose = False

    def run(self) -> int:
        """Run the systems, score them and print where the report is. Raises BadArgument, InputError."""
        frames = self.frames or {"self": 60, "cross": 30}[self.protocol]
        _check_frames(frames)
        from reenact.lab.evaluation.protocol import load_manifest, prepare, validation_manifest
        from reenact.lab.evaluation.run import run
        from reenact.lab.workers import cores

        if self.manifest is not None:
            manifest = load_manifest(self.manifest)
        else:
            modes = ("relative", "absolute") if self.mode == "both" else (self.mode,)
            manifest = validation_manifest(self.protocol, modes, frames)
        with ProgressLine(sys.stderr) as progress:
            inputs = partial(prepare, manifest, self.data)
            out = run(inputs, self.output, self.systems, progress, self.identity, self.jobs or cores())
        return _report(out)


@dataclass(frozen=True)
class Synth:
    """Cross-reenactment with a true answer: people who do not exist perform for each other, drawn from a seed.

    Example: reenact evaluate synth -o out/synthetic
    """

    output: Annotated[
        Path, arg(aliases=["-o"], metavar="FOLDER", help="Where inputs, truth, videos, scores and the report go.")
    ]
    seed: Annotated[int, arg(metavar="N", help="Another seed, other people.")] = 0
    pairs: Annotated[int, arg(metavar="N", help="Of a photo and a driver.")] = 8
    frames: Annotated[int, arg(metavar="N", help="Of each driver.")] = 40
    size: Annotated[int, arg(metavar="PX", help="Side of the pictures.")] = 256
    systems: Systems = _OURS
    identity: Identity = ()
    jobs: Jobs = None
    verbose: Verbose = False

    def run(self) -> int:
        """Render the benchmark, run it and print where the report is. Raises BadArgument, InputError."""
        _check_frames(self.frames)
        if self.pairs < 1 or self.size < 128 or self.size % 2 or self.seed < 0:
            raise BadArgument(
                f"--pairs {self.pairs} --size {self.size} --seed {self.seed}: want at least one pair, an even size of "
                "at least 128 and a seed of at least 0"
            )
        from reenact.lab.evaluation.run import run
        from reenact.lab.evaluation.synth import draw_benchmark
        from reenact.lab.workers import cores

        def draw(inputs: Path, progress: Progress) -> Manifest:
            return draw_benchmark(inputs, self.seed, self.pairs, self.frames, self.size, progress, jobs)

        jobs = self.jobs or cores()
        with ProgressLine(sys.stderr) as progress:
            out = run(draw, self.output, self.systems, progress, self.identity, jobs)
        return _report(out)


@dataclass(frozen=True)
class Score:
    """Score a folder of any system's videos, named as the pairs of a prepared manifest are.

    Example: reenact evaluate score out/validation/inputs/manifest.json their-videos --name LivePortrait -o theirs.json
    """

    manifest: Positional[Annotated[Path, arg(metavar="MANIFEST", help="FOLDER/inputs/manifest.json of a run.")]]
    videos: Positional[Annotated[Path, arg(metavar="VIDEOS", help="Holds PAIR.mp4 for each pair.")]]
    output: Annotated[Path, arg(aliases=["-o"], metavar="NAME.json", help="The result file to write.")]
    name: Annotated[str, arg(help="What to call the system.")] = "unnamed"
    identity: Identity = ()
    jobs: Jobs = None
    verbose: Verbose = False

    def run(self) -> int:
        """Score videos, print the tables and write the result. Raises BadArgument, InputError."""
        check_output(self.output, ".json", [self.manifest])
        from reenact.lab.evaluation.folder import load_scores, save_scores, score_folder
        from reenact.lab.evaluation.protocol import load_manifest
        from reenact.lab.evaluation.summary import HEADLINES, problems, table
        from reenact.lab.workers import cores

        manifest = load_manifest(self.manifest)
        with ProgressLine(sys.stderr) as progress:
            jobs = self.jobs or cores()
            inputs = self.manifest.parent
            scores = score_folder(self.name, manifest, inputs, self.videos, progress, self.identity, jobs)
        save_scores(scores, self.output)
        result = load_scores(self.output)
        for protocol, mode in sorted({(p["protocol"], p["motion_mode"]) for p in result["pairs"]}):
            print(f"{protocol}-reenactment, {mode} motion\n{table([result], protocol, mode, HEADLINES)}\n")
        print(problems([result]))
        print(f"{self.output.absolute()}: all numbers")
        return 0


@dataclass(frozen=True)
class Compare:
    """Second result minus first, pair by pair, with intervals and a signed rank test.

    Example: reenact evaluate compare before.json after.json
    """

    first: Positional[Annotated[Path, arg(metavar="FIRST.json", help="A result file.")]]
    second: Positional[Annotated[Path, arg(metavar="SECOND.json", help="Another, of the same manifest.")]]
    verbose: Verbose = False

    def run(self) -> int:
        """Print the comparison. Raises InputError."""
        from reenact.lab.evaluation.folder import load_scores
        from reenact.lab.evaluation.summary import comparison
        from reenact.media.errors import InputError

        first, second = load_scores(self.first), load_scores(self.second)
        if first["manifest"] != second["manifest"]:
            raise InputError(
                f"{self.first} is of the manifest {first['manifest']}, {self.second} of {second['manifest']}; want one"
            )
        for protocol, mode in sorted({(p["protocol"], p["motion_mode"]) for p in first["pairs"]}):
            print(f"\n{protocol}-reenactment, {mode} motion\n{comparison(first, second, protocol, mode)}")
        return 0


def _check_frames(frames: int) -> None:
    if frames < 4:
        raise BadArgument(f"--frames {frames} is too few to see motion; want at least 4")


def _report(out: Path) -> int:
    print((out / "report.md").read_text(encoding="utf-8"))
    print(f"{(out / 'report.html').absolute()}: tables, plots and filmstrips")
    return 0
