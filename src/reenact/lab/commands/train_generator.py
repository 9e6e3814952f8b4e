# SPDX-License-Identifier: Apache-2.0
"""`reenact train generator`: make the shipped generator again, or a better one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from reenact.app.arguments import BadArgument, Verbose
from reenact.app.progress import ProgressLine

WAN_FRAMES = 77  # of a window, as Wan-Animate's


@dataclass(frozen=True)
class TrainGenerator:
    """Train the generator on videos of people, which are first made into scenes: photo, frames, and the driven head.

    Stopped, by --time-budget or Ctrl-C, it goes on with the same command. FOLDER/log.jsonl has losses and scores on
    held-out people. compact: FOLDER/samples has pictures of them, FOLDER/compact.safetensors is what the package ships
    and `animate --weights` takes. wan: that takes FOLDER.

    Example: reenact train generator -o runs/generator --clips videos --held-out others --time-budget 3600
    """

    output: Annotated[Path, arg(aliases=["-o"], metavar="FOLDER", help="Where checkpoint, log and weights go.")]
    clips: Annotated[
        Path | None,
        arg(
            metavar="FOLDER",
            help="Videos to learn from, one person each.",
            help_behavior_hint="(default: none; the scenes are there already)",
        ),
    ] = None
    listing: Annotated[
        Path | None,
        arg(
            metavar="LIST.json",
            help="Which of the clips, of whom and under which licence: [{file, person, licence}].",
            help_behavior_hint="(default: all of the folder's)",
        ),
    ] = None
    held_out: Annotated[
        Path | None,
        arg(
            metavar="FOLDER",
            help="Videos of other people, to measure on.",
            help_behavior_hint="(default: none; those held out before)",
        ),
    ] = None
    scenes: Annotated[
        Path | None,
        arg(
            metavar="FOLDER",
            help="Where the prepared scenes are kept, 2 MB each.",
            help_behavior_hint="(default: FOLDER/scenes)",
        ),
    ] = None
    preset: Annotated[
        Literal["compact", "wan"],
        arg(
            help="compact: the project's own network, from nothing. wan: a pretrained Wan model, fine-tuned "
            "(experimental)."
        ),
    ] = "compact"
    base: Annotated[
        str | None,
        arg(
            metavar="FOLDER|ID",
            help="wan: the pretrained model in diffusers' layout, or its hub id.",
            help_behavior_hint="(required for wan)",
        ),
    ] = None
    subfolder: Annotated[str, arg(metavar="NAME", help="wan: which of the base's transformers.")] = "transformer"
    noise: Annotated[tuple[float, float], arg(metavar="LOW HIGH", help="wan: noise levels the transformer is for.")] = (
        0.0,
        1.0,
    )
    rank: Annotated[int, arg(metavar="N", help="wan: of the LoRA; 0 trains all weights.")] = 32
    each: Annotated[int, arg(metavar="N", help="Scenes of a clip.")] = 4
    scene_size: Annotated[
        int | None,
        arg(metavar="PX", help="Side of a scene's pictures.", help_behavior_hint="(default: 256; 512 for wan)"),
    ] = None
    cut: Annotated[int, arg(metavar="PX", help="compact: side of what is cut out of a scene to learn from.")] = 128
    frames: Annotated[
        int | None, arg(metavar="N", help="Of a window.", help_behavior_hint="(default: 4; 77 for wan)")
    ] = None
    batch: Annotated[
        int | None, arg(metavar="N", help="Windows a step.", help_behavior_hint="(default: 2; 1 for wan)")
    ] = None
    steps: Annotated[
        int | None,
        arg(
            metavar="N",
            help="Of the whole schedule, over all sittings.",
            help_behavior_hint="(default: 20000; 30000 for wan)",
        ),
    ] = None
    learning_rate: Annotated[
        float | None,
        arg(metavar="X", help="The largest.", help_behavior_hint="(default: 1e-3; 1e-4 for wan)"),
    ] = None
    widths: Annotated[
        tuple[int, int, int], arg(metavar="A B C", help="compact: channels at 4, 8 and 16 px a side.")
    ] = (48, 96, 256)
    depth: Annotated[int, arg(metavar="N", help="compact: blocks of the transformer.")] = 4
    inputs: Annotated[
        tuple[str, ...],
        arg(metavar="NAME", help="compact: what is told, of: photo normals regions warped visibility."),
    ] = ("photo", "normals", "regions", "warped", "visibility")
    start: Annotated[
        Path | None,
        arg(
            metavar="FILE.safetensors",
            help="compact: weights to begin with, as FOLDER/compact.safetensors of another run.",
            help_behavior_hint="(default: none)",
        ),
    ] = None
    time_budget: Annotated[float, arg(metavar="SECONDS", help="Of training in this sitting.")] = 3600.0
    jobs: Annotated[int, arg(metavar="N", help="Processes that prepare scenes.")] = 1
    device: Annotated[str, arg(metavar="NAME", help="Where to train: cpu or cuda.")] = "cpu"
    verbose: Verbose = False

    def run(self) -> int:
        """Prepare what is missing, train, write the weights, return the exit code. Raises BadArgument, InputError."""
        self._check()
        self.output.mkdir(exist_ok=True)
        kept = self.scenes or self.output / "scenes"
        with ProgressLine(sys.stderr) as progress:
            learnt = self._prepared(kept / "train", self.clips, self.listing, progress)
            unseen = self._prepared(kept / "held-out", self.held_out, None, progress)
            train = self._compact if self.preset == "compact" else self._wan
            weights, done, of = train(learnt, unseen, progress)
        print(f"{weights.absolute()}: step {done} of {of}; scores are in {self.output / 'log.jsonl'}")
        return 0

    def _check(self) -> None:
        for name in ("each", "batch", "steps", "jobs", "frames", "depth"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise BadArgument(f"--{name} {value} is too few; want at least 1")
        if self.cut < 32 or self.cut % 16:
            raise BadArgument(f"--cut {self.cut} cannot be trained at; want a multiple of 16 from 32")
        if self.preset == "wan" and self.base is None:
            raise BadArgument("--preset wan fine-tunes a pretrained model; want --base with its folder or hub id")
        if not self.output.absolute().parent.is_dir():
            raise BadArgument(f"the folder of output {self.output} does not exist")

    def _compact(self, learnt: list[Path], unseen: list[Path], progress: ProgressLine) -> tuple[Path, int, int]:
        """The weights' file, steps done, steps of the schedule."""
        import torch

        from reenact.generator.diffusion.compact.network import CompactConfig
        from reenact.generator.diffusion.compact.weights import load_compact, save_compact
        from reenact.lab.training.compact import CompactTraining, train_compact
        from reenact.lab.training.generator_batches import Cut
        from reenact.lab.training.loop import Schedule

        try:
            config = CompactConfig(self.widths, self.depth, self.inputs)
        except ValueError as error:
            raise BadArgument(str(error)) from error
        start = None if self.start is None else load_compact(self.start, torch.device("cpu")).state_dict()
        schedule = Schedule(self.steps or 20_000, self.learning_rate or 1e-3)
        cut = Cut(self.cut, self.frames or 4)
        trained = train_compact(
            CompactTraining(schedule, config, cut, self.batch or 2),
            learnt,
            unseen,
            self.output,
            seconds=self.time_budget,
            progress=progress,
            device=torch.device(self.device),
            start=start,
        )
        weights = self.output / "compact.safetensors"
        save_compact(trained.average, config, weights)
        return weights, trained.step, schedule.steps

    def _wan(self, learnt: list[Path], unseen: list[Path], progress: ProgressLine) -> tuple[Path, int, int]:
        """As `_compact`."""
        import torch

        from reenact.generator.diffusion.wan.plan import WanPlan
        from reenact.generator.diffusion.wan.sampling import WEIGHTS
        from reenact.lab.training.loop import Schedule
        from reenact.lab.training.wan import WanTraining, train_wan

        assert self.base is not None
        try:
            plan = WanPlan(self.base, self.subfolder, self.rank, noise=self.noise)
        except ValueError as error:
            raise BadArgument(str(error)) from error
        schedule = Schedule(self.steps or 30_000, self.learning_rate or 1e-4)
        device = torch.device(self.device)
        trained = train_wan(
            WanTraining(
                plan,
                schedule,
                frames=self.frames or WAN_FRAMES,
                batch=self.batch or 1,
                dtype=torch.float32 if device.type == "cpu" else torch.bfloat16,
            ),
            learnt,
            unseen,
            self.output,
            seconds=self.time_budget,
            progress=progress,
            device=device,
        )
        return self.output / WEIGHTS, trained.step, schedule.steps

    def _prepared(self, folder: Path, clips: Path | None, listing: Path | None, progress: ProgressLine) -> list[Path]:
        """The scenes of a folder, made of clips if some are given."""
        if clips is not None:
            # Preparing needs the tracker; training on prepared scenes does not.
            from reenact.lab.training.data.scene_making import RUN, clips_of, listed_clips, prepare_scenes

            large = self.preset == "wan"
            wanted = clips_of(clips) if listing is None else listed_clips(clips, listing)
            size = self.scene_size or (512 if large else 256)
            run = (self.frames or WAN_FRAMES) if large else RUN
            prepare_scenes(wanted, folder, self.each, size, progress, run=run, jobs=self.jobs)
        from reenact.lab.training.data.scenes import scenes_in

        found = scenes_in(folder)
        if not found:
            raise BadArgument(f"{folder} holds no scenes; want videos to make them of (--clips, --held-out)")
        return found
