# SPDX-License-Identifier: Apache-2.0
"""`reenact train`: make the shipped weights again, or better ones."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from reenact.app.arguments import BadArgument, Verbose
from reenact.app.progress import ProgressLine


@dataclass(frozen=True)
class TrainDense:
    """Train the network for normals, depth and classes on made-up portraits, which are drawn first.

    Stopped, by --time-budget or Ctrl-C, it goes on with the same command. FOLDER/log.jsonl has losses and scores on
    held-out people; FOLDER/dense.safetensors is what the package ships as assets/dense.safetensors.

    Example: reenact train dense -o runs/dense --time-budget 3600
    """

    output: Annotated[Path, arg(aliases=["-o"], metavar="FOLDER", help="Where checkpoint, log and weights go.")]
    portraits: Annotated[
        Path | None,
        arg(
            metavar="FOLDER",
            help="Where the drawn portraits are kept, about 600 kB each.",
            help_behavior_hint="(default: FOLDER/portraits)",
        ),
    ] = None
    people: Annotated[int, arg(metavar="N", help="To learn from; another 50 are held out.")] = 1000
    each: Annotated[int, arg(metavar="N", help="Portraits of each.")] = 8
    size: Annotated[int, arg(metavar="PX", help="Side of the crops: 128 to begin with, 256 to end with.")] = 256
    batch: Annotated[int, arg(metavar="N", help="Portraits a step.")] = 6
    steps: Annotated[int, arg(metavar="N", help="Of the whole schedule, over all sittings.")] = 5000
    learning_rate: Annotated[float, arg(metavar="X", help="The largest.")] = 8e-4
    start: Annotated[
        Path | None,
        arg(
            metavar="FILE.safetensors",
            help="Weights to begin with, as FOLDER/dense.safetensors of another run.",
            help_behavior_hint="(default: none)",
        ),
    ] = None
    time_budget: Annotated[float, arg(metavar="SECONDS", help="Of training in this sitting, drawing apart.")] = 3600.0
    jobs: Annotated[int, arg(metavar="N", help="Processes that draw.")] = 1
    device: Annotated[str, arg(metavar="NAME", help="Where to train: cpu or cuda.")] = "cpu"
    verbose: Verbose = False

    def run(self) -> int:
        """Draw what is missing, train, write the weights, return the exit code. Raises BadArgument, InputError."""
        for name in ("people", "each", "batch", "steps", "jobs"):
            if getattr(self, name) < 1:
                raise BadArgument(f"--{name} {getattr(self, name)} is too few; want at least 1")
        if self.size < 32 or self.size % 32:
            raise BadArgument(f"--size {self.size} cannot be trained at; want a multiple of 32")
        if not self.output.absolute().parent.is_dir():
            raise BadArgument(f"the folder of output {self.output} does not exist")
        import torch

        from reenact.lab.training.data.portraits import HELD_OUT_SEED, prepare_portraits
        from reenact.lab.training.dense import DenseTraining, train_dense
        from reenact.lab.training.loop import Schedule
        from reenact.media.tensors import write_weights
        from reenact.perception.dense.shipped import load_dense

        start = None if self.start is None else load_dense(self.start).state_dict()
        self.output.mkdir(exist_ok=True)
        drawn = self.portraits or self.output / "portraits"
        with ProgressLine(sys.stderr) as progress:
            held_out = prepare_portraits(drawn / "held-out", 50, 4, 256, progress, first=HELD_OUT_SEED, jobs=self.jobs)
            shards = prepare_portraits(drawn / "train", self.people, self.each, 256, progress, jobs=self.jobs)
            trained = train_dense(
                DenseTraining(Schedule(self.steps, self.learning_rate), self.batch, self.size),
                shards,
                held_out,
                self.output,
                seconds=self.time_budget,
                progress=progress,
                device=torch.device(self.device),
                start=start,
            )
        weights = self.output / "dense.safetensors"
        write_weights(weights, trained.average)
        print(f"{weights.absolute()}: step {trained.step} of {self.steps}; scores are in {self.output / 'log.jsonl'}")
        return 0
