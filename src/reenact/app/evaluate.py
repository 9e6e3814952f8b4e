# SPDX-License-Identifier: Apache-2.0
"""`reenact evaluate`: run ours and the baselines, score anybody's videos, compare two results."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from reenact.app.arguments import BadArgument, Verbose
from reenact.app.progress import ProgressLine


@dataclass(frozen=True)
class Run:
    """Make and score videos of the validation people: this project, a frozen photo, a 2D warp, the real video.

    Example: reenact evaluate run --data ../shared/data -o out/validation --protocol self
    """

    data: Annotated[Path, arg(metavar="FOLDER", help="Holds dev/clips and dev/photos, or what --manifest names.")]
    output: Annotated[
        Path, arg(aliases=["-o"], metavar="FOLDER", help="Where inputs, videos, scores and the report go.")
    ]
    protocol: Annotated[Literal["self", "cross"], arg(help="Photo and driver one person, or two.")] = "self"
    manifest: Annotated[Path | None, arg(metavar="JSON", help="Your own pairs, not the validation people.")] = None
    systems: Annotated[tuple[str, ...], arg(metavar="NAME", help="What to run.")] = (
        "reenact-warp",
        "STATIC",
        "WARP-2D",
        "REAL",
    )
    mode: Annotated[Literal["relative", "absolute", "both"], arg(help="Motion mode of the pairs.")] = "both"
    frames: Annotated[int, arg(metavar="N", help="Of each driver, from its first.")] = 60
    verbose: Verbose = False

    def run(self) -> int:
        """Run, say where the report is. Raises BadArgument, InputError."""
        if self.frames < 4:
            raise BadArgument(f"--frames {self.frames} is too few to see motion; want at least 4")
        from reenact.evaluation.protocol import load_manifest, validation_manifest
        from reenact.evaluation.run import run

        if self.manifest is not None:
            manifest = load_manifest(self.manifest)
        else:
            modes = ("relative", "absolute") if self.mode == "both" else (self.mode,)
            manifest = validation_manifest(self.protocol, modes, self.frames)
        with ProgressLine(sys.stderr) as progress:
            out = run(manifest, self.data, self.output, self.systems, progress)
        print((out / "report.md").read_text(encoding="utf-8"))
        print(f"{(out / 'report.html').absolute()}: tables, plots and filmstrips")
        return 0


@dataclass(frozen=True)
class Score:
    """Score a folder of any system's videos, named as the pairs of a prepared manifest are.

    Example: reenact evaluate score out/validation/inputs/manifest.json their-videos --name LivePortrait -o theirs.json
    """

    manifest: Positional[Annotated[Path, arg(metavar="MANIFEST", help="FOLDER/inputs/manifest.json of a run.")]]
    videos: Positional[Annotated[Path, arg(metavar="VIDEOS", help="Holds PAIR.mp4 for each pair.")]]
    output: Annotated[Path, arg(aliases=["-o"], metavar="NAME.json", help="The result file to write.")]
    name: Annotated[str, arg(help="What to call the system.")] = "unnamed"
    verbose: Verbose = False

    def run(self) -> int:
        """Score, print the tables, write the result. Raises InputError."""
        from reenact.evaluation.folder import load_scores, save_scores, score_folder
        from reenact.evaluation.markdown import HEADLINES, problems, table
        from reenact.evaluation.protocol import load_manifest

        manifest = load_manifest(self.manifest)
        with ProgressLine(sys.stderr) as progress:
            scores = score_folder(self.name, manifest, self.manifest.parent, self.videos, progress)
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
        from reenact.evaluation.folder import load_scores
        from reenact.evaluation.markdown import comparison
        from reenact.media.errors import InputError

        first, second = load_scores(self.first), load_scores(self.second)
        if first["manifest"] != second["manifest"]:
            raise InputError(
                f"{self.first} is of the manifest {first['manifest']}, {self.second} of {second['manifest']}; want one"
            )
        for protocol, mode in sorted({(p["protocol"], p["motion_mode"]) for p in first["pairs"]}):
            print(f"\n{protocol}-reenactment, {mode} motion\n{comparison(first, second, protocol, mode)}")
        return 0
