# SPDX-License-Identifier: Apache-2.0
"""`reenact train generator`: make the shipped generator again, or a better one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import arg

from reenact.app.arguments import BadArgument
from reenact.app.progress import ProgressLine

from .train import Training

if TYPE_CHECKING:
    from reenact.lab.training.loop import Run, RunOptions


@dataclass(frozen=True)
class TrainGenerator(Training):
    """Train the generator on videos of people, which are first made into scenes: photo, frames, and the driven head.

    compact: FOLDER/samples has pictures of held-out people, FOLDER/compact.safetensors is what the package ships and
    `animate --weights` takes. wan: that takes FOLDER.

    Example: reenact train generator -o runs/generator --clips videos --held-out others --time-budget 3600
    """

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
            help="Of the whole schedule, however many runs it takes.",
            help_behavior_hint="(default: 20000; 30000 for wan)",
        ),
    ] = None
    learning_rate: Annotated[
        float | None,
        arg(metavar="X", help="The largest.", help_behavior_hint="(default: 2e-3; 1e-4 for wan)"),
    ] = None
    widths: Annotated[
        tuple[int, int, int], arg(metavar="A B C", help="compact: channels at 4, 8 and 16 px a side.")
    ] = (48, 96, 256)
    depth: Annotated[int, arg(metavar="N", help="compact: blocks of the transformer.")] = 4
    inputs: Annotated[
        tuple[str, ...],
        arg(metavar="NAME", help="compact: the inputs, of: photo normals regions warped visibility."),
    ] = ("photo", "normals", "regions", "warped", "visibility")

    name, prepared, counts = "compact", "scenes", (*Training.counts, "each", "frames", "depth")

    def check(self) -> None:
        """See Training."""
        super().check()
        if self.cut < 32 or self.cut % 16:
            raise BadArgument(f"--cut {self.cut} cannot be trained at; want a multiple of 16 from 32")
        if self.preset == "wan" and self.base is None:
            raise BadArgument("--preset wan fine-tunes a pretrained model; want --base with its folder or hub id")
        if self.preset == "wan" and self.start is not None:
            raise BadArgument("--preset wan begins with the pretrained model; --start is for compact")

    def train(self, progress: ProgressLine) -> tuple[Run, Path]:
        """See Training."""
        options, folder = self.options(progress), self.folder()
        learnt = self._prepared(folder / "train", self.clips, self.listing, progress)
        unseen = self._prepared(folder / "held-out", self.held_out, None, progress)
        train = self._compact if self.preset == "compact" else self._wan
        return train(learnt, unseen, options)

    def _compact(self, learnt: list[Path], unseen: list[Path], options: RunOptions) -> tuple[Run, Path]:
        from reenact.generator.diffusion.compact.network import CompactConfig
        from reenact.generator.diffusion.compact.weights import load_compact, save_compact
        from reenact.lab.training.compact import CompactTraining, train_compact
        from reenact.lab.training.generator_batches import Cut
        from reenact.lab.training.loop import Schedule

        try:
            config = CompactConfig(self.widths, self.depth, self.inputs)
        except ValueError as error:
            raise BadArgument(str(error)) from error
        if self.start is not None:
            options = replace(options, start=load_compact(self.start, options.device).state_dict())
        schedule = Schedule(self.steps or 20_000, self.learning_rate or 2e-3, optimiser="muon")
        settings = CompactTraining(schedule, config, Cut(self.cut, self.frames or 4), self.batch or 2)
        run = train_compact(settings, learnt, unseen, options)
        weights = self.output / f"{self.name}.safetensors"
        save_compact(run.average, config, weights)
        return run, weights

    def _wan(self, learnt: list[Path], unseen: list[Path], options: RunOptions) -> tuple[Run, Path]:
        import torch

        from reenact.generator.diffusion.wan.plan import FRAMES, WanPlan
        from reenact.generator.diffusion.wan.sampling import WEIGHTS
        from reenact.lab.training.loop import Schedule
        from reenact.lab.training.wan import WanTraining, train_wan

        assert self.base is not None
        try:
            plan = WanPlan(self.base, self.subfolder, self.rank, noise=self.noise)
        except ValueError as error:
            raise BadArgument(str(error)) from error
        settings = WanTraining(
            plan,
            Schedule(self.steps or 30_000, self.learning_rate or 1e-4),
            frames=self.frames or FRAMES,
            batch=self.batch or 1,
            dtype=torch.float32 if options.device.type == "cpu" else torch.bfloat16,
        )
        return train_wan(settings, learnt, unseen, options), self.output / WEIGHTS

    def _prepared(self, folder: Path, clips: Path | None, listing: Path | None, progress: ProgressLine) -> list[Path]:
        """Find the scenes of a folder, made of clips if some are given."""
        if clips is not None:
            # Preparing needs the tracker; training on prepared scenes does not.
            from reenact.generator.diffusion.wan.plan import FRAMES
            from reenact.lab.training.data.scene_making import RUN, clips_of, prepare_scenes

            large = self.preset == "wan"
            size = self.scene_size or (512 if large else 256)
            run = (self.frames or FRAMES) if large else RUN
            prepare_scenes(clips_of(clips, listing), folder, self.each, size, progress, run=run, jobs=self.jobs)
        scenes = sorted(p for p in folder.glob("*.safetensors") if not p.name.endswith(".motion.safetensors"))
        if not scenes:
            raise BadArgument(f"{folder} holds no scenes; want videos to make them of (--clips, --held-out)")
        return scenes
