# SPDX-License-Identifier: Apache-2.0
"""`reenact train transfer`: make the shipped transfer network again, or a better one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from reenact.app.arguments import BadArgument, Verbose
from reenact.app.progress import ProgressLine


@dataclass(frozen=True)
class TrainTransfer:
    """Train expression transfer on made-up people whose own way of moving is known; they are made first.

    Stopped, by --time-budget or Ctrl-C, it goes on with the same command. FOLDER/log.jsonl has losses and scores on
    held-out people; FOLDER/transfer.safetensors is what the package ships as assets/transfer.safetensors.

    Example: reenact train transfer -o runs/transfer --time-budget 3600
    """

    output: Annotated[Path, arg(aliases=["-o"], metavar="FOLDER", help="Where checkpoint, log and weights go.")]
    receivers: Annotated[
        Path | None,
        arg(
            metavar="FOLDER",
            help="Where the people and their performances are kept, 3.6 MB each.",
            help_behavior_hint="(default: FOLDER/receivers)",
        ),
    ] = None
    people: Annotated[int, arg(metavar="N", help="To learn from; another 20 are held out.")] = 300
    batch: Annotated[int, arg(metavar="N", help="People a step, a performance of each.")] = 4
    steps: Annotated[int, arg(metavar="N", help="Of the whole schedule, over all sittings.")] = 12000
    learning_rate: Annotated[float, arg(metavar="X", help="The largest.")] = 3e-3
    start: Annotated[
        Path | None,
        arg(
            metavar="FILE.safetensors",
            help="Weights to begin with, as FOLDER/transfer.safetensors of another run.",
            help_behavior_hint="(default: none)",
        ),
    ] = None
    time_budget: Annotated[float, arg(metavar="SECONDS", help="Of training in this sitting.")] = 3600.0
    jobs: Annotated[int, arg(metavar="N", help="Processes that make people.")] = 1
    device: Annotated[str, arg(metavar="NAME", help="Where to train: cpu or cuda.")] = "cpu"
    verbose: Verbose = False

    def run(self) -> int:
        """Make what is missing, train, write the weights, return the exit code. Raises BadArgument, InputError."""
        for name in ("people", "batch", "steps", "jobs"):
            if getattr(self, name) < 1:
                raise BadArgument(f"--{name} {getattr(self, name)} is too few; want at least 1")
        if not self.output.absolute().parent.is_dir():
            raise BadArgument(f"the folder of output {self.output} does not exist")
        import torch

        from reenact.lab.training.data.transfer_shards import HELD_OUT_SEED, prepare_receivers
        from reenact.lab.training.loop import Schedule
        from reenact.lab.training.transfer import TransferTraining, train_transfer
        from reenact.media.tensors import write_weights
        from reenact.transfer.own_motion import load_transfer

        start = None if self.start is None else load_transfer(self.start).state_dict()
        self.output.mkdir(exist_ok=True)
        made = self.receivers or self.output / "receivers"
        with ProgressLine(sys.stderr) as progress:
            held_out = prepare_receivers(made / "held-out", 20, progress, first=HELD_OUT_SEED, jobs=self.jobs)
            shards = prepare_receivers(made / "train", self.people, progress, jobs=self.jobs)
            trained = train_transfer(
                TransferTraining(Schedule(self.steps, self.learning_rate), self.batch),
                shards,
                held_out,
                self.output,
                seconds=self.time_budget,
                progress=progress,
                device=torch.device(self.device),
                start=start,
            )
        weights = self.output / "transfer.safetensors"
        write_weights(weights, trained.average)
        print(f"{weights.absolute()}: step {trained.step} of {self.steps}; scores are in {self.output / 'log.jsonl'}")
        return 0
