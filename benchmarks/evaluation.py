# SPDX-License-Identifier: Apache-2.0
"""The tables of `reenact evaluate`, a question each: ``python -m benchmarks.evaluation QUESTION``.

evaluation-self, -cross, -synth     the warp beside a frozen photo, a 2D warp and the real video
generators-self, -cross, -synth     the compact generator beside the warp
heads-self, -cross, -synth          the warp by personal heads and by coarse ones
offsets-self, -cross                dynamic offsets: none, and those predicted for the source's face

self and cross take the validation people of --shared, synth takes synthetic people with a true answer. A row is a
motion mode and a system: its mean over pairs of every metric, and its place among the systems
(lab/evaluation/ranking.py). Videos, scores and the report are kept in a folder of the commit and the options, and taken
from there when the run is repeated.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, Literal

import tyro
from tyro.conf import Positional

from benchmarks.common import OUT, SHARED, Recorded, record
from reenact.app.progress import ProgressLine
from reenact.lab.evaluation.extra import provenance
from reenact.lab.evaluation.folder import load_scores
from reenact.lab.evaluation.protocol import Manifest, prepare, validation_manifest
from reenact.lab.evaluation.ranking import CEILING, ranking
from reenact.lab.evaluation.run import run
from reenact.lab.evaluation.summary import pair_means
from reenact.lab.evaluation.synth import draw_benchmark
from reenact.lab.workers import cores
from reenact.media.progress import Progress

Question = Literal[
    "evaluation-self", "evaluation-cross", "evaluation-synth",
    "generators-self", "generators-cross", "generators-synth",
    "heads-self", "heads-cross", "heads-synth",
    "offsets-self", "offsets-cross",
]  # fmt: skip
SYSTEMS: Final = {
    "evaluation": ("reenact-warp", "STATIC", "WARP-2D", "REAL"),
    "generators": ("reenact-warp", "reenact-compact", "STATIC", "REAL"),
    "heads": ("reenact-warp", "reenact-coarse", "STATIC", "REAL"),
    "offsets": ("reenact-warp", "reenact-own", "STATIC", "REAL"),
}
FRAMES: Final[dict[Question, int]] = {
    "evaluation-self": 60, "evaluation-cross": 30, "evaluation-synth": 40,
    "generators-self": 30, "generators-cross": 12, "generators-synth": 16,
    "heads-self": 30, "heads-cross": 12, "heads-synth": 16,
    "offsets-self": 30, "offsets-cross": 30,
}  # fmt: skip
"""Of each driver, as many as fit into an hour of two cores."""
_RELATIVE_ONLY: Final[tuple[Question, ...]] = ("generators-self", "offsets-self", "offsets-cross")


@dataclass(frozen=True)
class Arguments(Recorded):
    """Evaluate systems and record their means."""

    question: Positional[Question]
    """Which table."""
    frames: int | None = None
    """Of each driver; the table's own number by default."""
    pairs: int | None = None
    """The first ones only."""
    shared: Path = SHARED
    """Folder that holds data/dev/clips and data/dev/photos."""
    work: Path = OUT / "evaluation"
    """Where videos, scores and reports go."""
    jobs: int = cores()
    """Pairs at a time."""


def frames_of(arguments: Arguments) -> int:
    """Return the frames of each driver."""
    return arguments.frames or FRAMES[arguments.question]


def inputs_of(arguments: Arguments, folder: Path, progress: Progress) -> Manifest:
    """Write the inputs of a question to a folder."""
    frames = frames_of(arguments)
    protocol = arguments.question.partition("-")[2]
    if protocol == "synth":
        return draw_benchmark(folder, 0, arguments.pairs or 8, frames, 256, progress, arguments.jobs)
    modes = ("relative",) if arguments.question in _RELATIVE_ONLY else ("relative", "absolute")
    whole = validation_manifest("self" if protocol == "self" else "cross", modes, frames)
    names = list(dict.fromkeys((p.photo, p.driver) for p in whole.pairs))[: arguments.pairs]
    some = tuple(pair for pair in whole.pairs if (pair.photo, pair.driver) in names)
    return prepare(replace(whole, pairs=some), arguments.shared / "data", folder, progress)


def main(arguments: Arguments) -> None:
    """Run, and record the means of all systems."""
    systems = SYSTEMS[arguments.question.partition("-")[0]]
    about = provenance()
    state = "changed" if about["uncommitted_changes"] else about["commit"][:7]
    made_of = f"{arguments.question}-{frames_of(arguments)}-frames-{arguments.pairs or 'all'}-pairs-{state}"
    with ProgressLine(sys.stderr) as progress:
        folder = run(
            partial(inputs_of, arguments),
            arguments.work / made_of,
            systems,
            progress,
            jobs=arguments.jobs,
        )
    results = [load_scores(folder / f"{system}.json") for system in systems]
    rows = []
    for protocol, mode in dict.fromkeys((p["protocol"], p["motion_mode"]) for s in results for p in s["pairs"]):
        for place in ranking(results, protocol, mode):
            (scores,) = (s for s in results if s["system"] == place.system)
            means = {key: mean.mean for key, mean in pair_means(scores, protocol, mode).items()}
            word = str(place.rank) if place.rank else "-" if place.system == CEILING else "frozen"
            rows.append({"mode": mode, "system": place.system, "place": word, **means})
    record(arguments.question, rows, arguments)


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
