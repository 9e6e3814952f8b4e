# SPDX-License-Identifier: Apache-2.0
"""`reenact train`: make the shipped weights again, or better ones. What all trainings share, and the short ones."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from reenact.app.arguments import BadArgument, Verbose, check_folder_of
from reenact.app.progress import ProgressLine

if TYPE_CHECKING:
    from torch import Tensor

    from reenact.lab.training.loop import Run, RunOptions

Batch = Annotated[int, arg(metavar="N", help="Samples a step.")]
Steps = Annotated[int, arg(metavar="N", help="Of the whole schedule, however many runs it takes.")]
LearningRate = Annotated[float, arg(metavar="X", help="The largest.")]


@dataclass(frozen=True)
class Training(ABC):
    """A network that is trained in a folder, on data that is prepared first."""

    output: Annotated[
        Path,
        arg(
            aliases=["-o"],
            metavar="FOLDER",
            help="Where checkpoint, log.jsonl (losses, and scores on held-out people) and weights go. A run that was "
            "stopped, by --time-budget or Ctrl-C, goes on with the same command.",
        ),
    ]
    start: Annotated[
        Path | None,
        arg(
            metavar="FILE.safetensors",
            help="Weights to begin with, such as another run's.",
            help_behavior_hint="(default: none)",
        ),
    ] = None
    time_budget: Annotated[float, arg(metavar="SECONDS", help="Of training in this run, without preparing data.")] = (
        3600.0
    )
    jobs: Annotated[int, arg(metavar="N", help="Processes that prepare data.")] = 1
    device: Annotated[str, arg(metavar="NAME", help="Where to train: cpu, cuda, mps.")] = "cpu"
    verbose: Verbose = False

    counts: ClassVar[tuple[str, ...]] = ("jobs", "batch", "steps")
    """Options of which at least 1 is wanted."""

    def run(self) -> int:
        """Prepare what is missing, train, write the weights, return the exit code. Raises BadArgument, InputError."""
        for name in self.counts:
            if (value := getattr(self, name)) is not None and value < 1:
                raise BadArgument(f"--{name} {value} is too few; want at least 1")
        check_folder_of(self.output)
        self.check()
        with ProgressLine(sys.stderr) as progress:
            run, weights = self.train(progress)
        log = run.folder / "log.jsonl"
        print(f"{weights.absolute()}: step {run.step} of {run.schedule.steps}; scores are in {log}")
        return 0

    @abstractmethod
    def check(self) -> None:
        """Raise BadArgument for options that make no sense, before anything is imported or written."""

    @abstractmethod
    def train(self, progress: ProgressLine) -> tuple[Run, Path]:
        """Prepare data, train, and write weights; return the run and the weights' file. Raises as `run`."""

    def options(self, progress: ProgressLine, start: dict[str, Tensor] | None = None) -> RunOptions:
        """Say where and how long to train. Raises BadArgument for a device that is not there."""
        import torch

        from reenact.lab.training.loop import RunOptions

        try:
            device = torch.device(self.device)
            torch.empty(0, device=device)
        except (RuntimeError, AssertionError) as error:
            raise BadArgument(f"--device {self.device} cannot be used ({str(error).splitlines()[0]})") from error
        return RunOptions(self.output, device, self.time_budget, start, progress)


@dataclass(frozen=True)
class TrainDense(Training):
    """Train the network for normals, depth and classes on portraits of synthetic people.

    FOLDER/dense.safetensors is what the package ships as assets/dense.safetensors.

    Example: reenact train dense -o runs/dense --time-budget 3600
    """

    portraits: Annotated[
        Path | None,
        arg(
            metavar="FOLDER",
            help="Where the portraits are kept, about 600 kB each.",
            help_behavior_hint="(default: FOLDER/portraits)",
        ),
    ] = None
    people: Annotated[int, arg(metavar="N", help="To learn from; another 50 are held out.")] = 1000
    each: Annotated[int, arg(metavar="N", help="Portraits of each.")] = 8
    size: Annotated[int, arg(metavar="PX", help="Side of the crops: 128 to begin with, 256 to end with.")] = 256
    batch: Batch = 6
    steps: Steps = 5000
    learning_rate: LearningRate = 8e-4

    counts = (*Training.counts, "people", "each")

    def check(self) -> None:
        """See Training."""
        if self.size < 32 or self.size % 32:
            raise BadArgument(f"--size {self.size} cannot be trained at; want a multiple of 32")

    def train(self, progress: ProgressLine) -> tuple[Run, Path]:
        """See Training."""
        from reenact.lab.training.data.portraits import HELD_OUT_SEED, prepare_portraits
        from reenact.lab.training.dense import DenseTraining, train_dense
        from reenact.lab.training.loop import Schedule
        from reenact.media.tensors import write_weights
        from reenact.perception.dense.shipped import load_dense

        start = None if self.start is None else load_dense(self.start).state_dict()
        options, folder = self.options(progress, start), self.portraits or self.output / "portraits"
        held_out = prepare_portraits(folder / "held-out", 50, 4, 256, progress, first=HELD_OUT_SEED, jobs=self.jobs)
        shards = prepare_portraits(folder / "train", self.people, self.each, 256, progress, jobs=self.jobs)
        settings = DenseTraining(Schedule(self.steps, self.learning_rate), self.batch, self.size)
        run = train_dense(settings, shards, held_out, options)
        weights = self.output / "dense.safetensors"
        write_weights(weights, run.average)
        return run, weights


@dataclass(frozen=True)
class TrainTransfer(Training):
    """Train expression transfer on synthetic people whose own way of moving is known.

    FOLDER/transfer.safetensors is what the package ships as assets/transfer.safetensors.

    Example: reenact train transfer -o runs/transfer --time-budget 3600
    """

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
    steps: Steps = 12000
    learning_rate: LearningRate = 3e-3

    counts = (*Training.counts, "people")

    def check(self) -> None:
        """See Training."""

    def train(self, progress: ProgressLine) -> tuple[Run, Path]:
        """See Training."""
        from reenact.lab.training.data.transfer_shards import HELD_OUT_SEED, prepare_receivers
        from reenact.lab.training.loop import Schedule
        from reenact.lab.training.transfer import TransferTraining, train_transfer
        from reenact.media.tensors import write_weights
        from reenact.transfer.dynamic_offsets import load_transfer

        start = None if self.start is None else load_transfer(self.start).state_dict()
        options, folder = self.options(progress, start), self.receivers or self.output / "receivers"
        held_out = prepare_receivers(folder / "held-out", 20, progress, first=HELD_OUT_SEED, jobs=self.jobs)
        shards = prepare_receivers(folder / "train", self.people, progress, jobs=self.jobs)
        settings = TransferTraining(Schedule(self.steps, self.learning_rate), self.batch)
        run = train_transfer(settings, shards, held_out, options)
        weights = self.output / "transfer.safetensors"
        write_weights(weights, run.average)
        return run, weights


@dataclass(frozen=True)
class TrainHabits:
    """Learn from heads, one a person, what their dynamic offsets have in common; transfer then learns it.

    Printed: the share of each person's offsets that is left when the others are learnt from, and of those held out.
    FILE is what the package ships as assets/habits.safetensors.

    Example: reenact train habits heads/*.head -o habits.safetensors
    """

    heads: Positional[
        Annotated[tuple[Path, ...], arg(metavar="PERSON.head", help="Made by `reenact head`, from videos.")]
    ]
    output: Annotated[Path, arg(aliases=["-o"], metavar="FILE", help="The file to write.")]
    held_out: Annotated[
        tuple[Path, ...],
        arg(metavar="PERSON.head", help="People to score and not to learn from.", help_behavior_hint="(default: none)"),
    ] = ()
    verbose: Verbose = False

    def run(self) -> int:
        """Learn, score, write, return the exit code. Raises BadArgument, InputError."""
        if len(self.heads) < 2:
            raise BadArgument(f"{len(self.heads)} head(s) are too few; want at least 2, of different people")
        check_folder_of(self.output)
        from reenact.lab.training.habits import learn_habits, left_over, performed
        from reenact.media.arrays import write_arrays
        from reenact.subject.store import load_head

        people, unseen = ([performed(load_head(path)) for path in paths] for paths in (self.heads, self.held_out))
        for i, path in enumerate(self.heads):
            left = left_over(learn_habits([*people[:i], *people[i + 1 :]]), people[i])
            print(f"{path.name}: {len(people[i].codes)} frames, {left:.3f} left when learnt from the others")
        habits = learn_habits(people)
        for path, one in zip(self.held_out, unseen, strict=True):
            print(f"{path.name}: held out, {left_over(habits, one):.3f} left")
        write_arrays(self.output, {"vertices": habits.vertices, "answers": habits.answers.astype("float16")})
        print(f"{self.output.absolute()}: {len(people)} people")
        return 0
