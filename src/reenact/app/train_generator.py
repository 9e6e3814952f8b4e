# SPDX-License-Identifier: Apache-2.0
"""`reenact train generator`: make the shipped generator again, or a better one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from reenact.app.arguments import BadArgument, Verbose
from reenact.app.progress import ProgressLine


@dataclass(frozen=True)
class TrainGenerator:
    """Train the generator on videos of people, which are first made into scenes: photo, frames, and the driven head.

    Stopped, by --time-budget or Ctrl-C, it goes on with the same command. FOLDER/log.jsonl has losses and scores on
    held-out people, FOLDER/samples pictures of them; FOLDER/compact.safetensors is what `animate --weights` takes and
    the package ships.

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
    each: Annotated[int, arg(metavar="N", help="Scenes of a clip.")] = 4
    size: Annotated[int, arg(metavar="PX", help="Side of what is cut out of a scene's 256 px to learn from.")] = 128
    frames: Annotated[int, arg(metavar="N", help="Of a window, 8 at most.")] = 4
    batch: Annotated[int, arg(metavar="N", help="Windows a step.")] = 2
    steps: Annotated[int, arg(metavar="N", help="Of the whole schedule, over all sittings.")] = 20000
    learning_rate: Annotated[float, arg(metavar="X", help="The largest.")] = 1e-3
    widths: Annotated[
        tuple[int, int, int],
        arg(metavar="A B C", help="Channels at 4, 8 and 16 px a side."),
    ] = (48, 96, 256)
    depth: Annotated[int, arg(metavar="N", help="Blocks of the transformer.")] = 4
    inputs: Annotated[
        tuple[str, ...],
        arg(metavar="NAME", help="What is told, of: photo normals regions warped visibility."),
    ] = ("photo", "normals", "regions", "warped", "visibility")
    control: Annotated[
        str, arg(metavar="NAME", help="What shows the driven head: normals, coarse_normals or landmarks.")
    ] = "normals"
    start: Annotated[
        Path | None,
        arg(
            metavar="FILE.safetensors",
            help="Weights to begin with, as FOLDER/compact.safetensors of another run.",
            help_behavior_hint="(default: none)",
        ),
    ] = None
    time_budget: Annotated[float, arg(metavar="SECONDS", help="Of training in this sitting.")] = 3600.0
    jobs: Annotated[int, arg(metavar="N", help="Processes that prepare scenes.")] = 1
    device: Annotated[str, arg(metavar="NAME", help="Where to train: cpu or cuda.")] = "cpu"
    verbose: Verbose = False

    def run(self) -> int:
        """Prepare what is missing, train, write the weights, return the exit code. Raises BadArgument, InputError."""
        for name in ("each", "batch", "steps", "jobs", "frames", "depth"):
            if getattr(self, name) < 1:
                raise BadArgument(f"--{name} {getattr(self, name)} is too few; want at least 1")
        if not 32 <= self.size <= 256 or self.size % 16:
            raise BadArgument(f"--size {self.size} cannot be trained at; want a multiple of 16 from 32 to 256")
        if self.control not in ("normals", "coarse_normals", "landmarks"):
            raise BadArgument(f"--control {self.control} is unknown; want normals, coarse_normals or landmarks")
        if not self.output.absolute().parent.is_dir():
            raise BadArgument(f"the folder of output {self.output} does not exist")
        import torch

        from reenact.generator.compact.network import CompactConfig
        from reenact.generator.compact.weights import load_compact, save_compact
        from reenact.training.compact import CompactTraining, train_compact
        from reenact.training.generator_batches import Cut
        from reenact.training.loop import Schedule

        try:
            config = CompactConfig(self.widths, self.depth, self.inputs)
        except ValueError as error:
            raise BadArgument(str(error)) from error
        start = None
        if self.start is not None:
            start = load_compact(self.start, torch.device("cpu")).state_dict()
        self.output.mkdir(exist_ok=True)
        kept = self.scenes or self.output / "scenes"
        with ProgressLine(sys.stderr) as progress:
            learnt = self._prepared(kept / "train", self.clips, self.listing, progress)
            unseen = self._prepared(kept / "held-out", self.held_out, None, progress)
            trained = train_compact(
                CompactTraining(
                    Schedule(self.steps, self.learning_rate),
                    config,
                    Cut(self.size, self.frames, control=self.control),
                    self.batch,
                ),
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
        print(f"{weights.absolute()}: step {trained.step} of {self.steps}; scores are in {self.output / 'log.jsonl'}")
        return 0

    def _prepared(self, folder: Path, clips: Path | None, listing: Path | None, progress: ProgressLine) -> list[Path]:
        """The scenes of a folder, made of clips if some are given."""
        if clips is not None:
            # Preparing needs the tracker; training on prepared scenes does not.
            from reenact.data.scene_making import clips_of, listed_clips, prepare_scenes

            wanted = clips_of(clips) if listing is None else listed_clips(clips, listing)
            prepare_scenes(wanted, folder, self.each, 256, progress, jobs=self.jobs)
        found = sorted(p for p in folder.glob("*.safetensors") if not p.name.endswith(".motion.safetensors"))
        if not found:
            raise BadArgument(f"{folder} holds no scenes; want videos to make them of (--clips, --held-out)")
        return found
