# SPDX-License-Identifier: Apache-2.0
"""`reenact animate`: animate a source photo with a driving motion."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, UseAppendAction, arg

from .arguments import (
    BadArgument,
    CutsPolicy,
    Device,
    FaceIndex,
    Landmarker,
    LostPolicy,
    Refinement,
    Verbose,
    check_driving,
    check_output,
    flag,
    parse_strengths,
)
from .progress import ProgressLine


@dataclass(frozen=True)
class Animate:
    """Animate the person in a source photo with the expression, gaze and head pose of a driving video.

    Example: reenact animate grandma.jpg talking -o grandma.mp4
    """

    source: Positional[
        Annotated[Path, arg(metavar="SOURCE", help="The source photo. If it shows several people, see --face.")]
    ]
    driving: Positional[
        Annotated[
            Path,
            arg(
                metavar="DRIVING",
                help="The driving motion: a video, an image of a face, a .motion.safetensors file written by "
                "`reenact track`, a .head file written by `reenact head`, or the name of a bundled motion, such "
                "as talking (`reenact doctor` lists them).",
            ),
        ]
    ]
    output: Annotated[
        Path,
        arg(
            aliases=["-o"],
            metavar="OUT.mp4",
            help="The video to write. The driving video's sound is carried over.",
        ),
    ]
    mode: Annotated[
        Literal["neutral", "relative", "absolute"],
        arg(
            help="neutral: takes on the driving expression, counted from a neutral face, and moves the source's own "
            "head pose as the driving head moves. relative: starts from the source's own expression, too, and changes "
            "it as the driving one changes. absolute: takes on the driving expression and head pose."
        ),
    ] = "neutral"
    neutral: Annotated[
        int | Path | None,
        arg(
            metavar="FRAME|IMAGE",
            help="How the driving person looks when they look as the source does: a driving frame, from 0, or "
            "another picture of the driving person. Motion is counted from there.",
            help_behavior_hint="(default: from the fitted neutral face)",
        ),
    ] = None
    same_person: Annotated[
        bool, flag("The driving person is the source person: fit one head to both. Best with --mode absolute.")
    ] = False
    detail: Annotated[
        Literal["none", "own"],
        arg(
            help="What a face does beyond its 52 actions added up and the landmarks that its skin follows: nothing, or "
            "what the transfer network predicts of the source person's own face."
        ),
    ] = "none"
    generator: Annotated[
        Literal["warp", "compact", "wan"],
        arg(
            help="What generates the frames. warp: moves the source's pixels with the head. compact: a video diffusion "
            "transformer over that, trained by this project. wan: a large pretrained one that you have fine-tuned "
            "(experimental)."
        ),
    ] = "warp"
    steps: Annotated[
        int | None,
        arg(
            metavar="N",
            help="Sampling steps of the learned generator; more take longer.",
            help_behavior_hint="(default: 2 for compact, 30 for wan)",
        ),
    ] = None
    guidance: Annotated[
        float,
        arg(
            metavar="X",
            help="Scale of classifier-free guidance: 1 is the conditional prediction; more exaggerates and takes twice "
            "as long.",
        ),
    ] = 1.0
    seed: Annotated[int, arg(metavar="N", help="Of the noise that wan begins with; compact begins without.")] = 0
    weights: Annotated[
        Path | None,
        arg(
            metavar="PATH",
            help="The learned generator's weights, as `reenact train generator` writes them: a file of compact, the "
            "folder of wan.",
            help_behavior_hint="(default: those of compact that are shipped)",
        ),
    ] = None
    device: Device = None
    strength: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(
            metavar="NAME=X",
            help="Multiply the motion of a region (eyes, brows, mouth, jaw, gaze or head), of an ARKit action such as "
            "jawOpen, or of both sides of one, such as mouthSmile. 1 is as driven, 0 is still. Repeat the option "
            "for several: --strength eyes=1.2 --strength head=0.5",
        ),
    ] = ()
    subject_detail: Annotated[
        Literal["coarse", "personal"],
        arg(
            help="How the source person's head is fitted: by coefficients alone, or with offsets that are personal, "
            "which takes some seconds for a photo and a minute for a video."
        ),
    ] = "personal"
    head: Annotated[
        Path | None,
        arg(
            metavar="PERSON.head",
            help="The source person's own head, made by `reenact head` from a video or from several photos.",
            help_behavior_hint="(default: fitted to the source)",
        ),
    ] = None
    face: FaceIndex = 0
    driving_face: Annotated[
        int, arg(metavar="N", help="Which face of the driving video, counted from the largest, which is 0.")
    ] = 0
    size: Annotated[
        int | None,
        arg(
            metavar="PX",
            help="Longer side of the video in pixels.",
            help_behavior_hint="(default: as large as the source)",
        ),
    ] = None
    crop: Annotated[bool, flag("Show only the head, in a square, instead of the whole source.")] = False
    compare: Annotated[bool, flag("Show source, driving video and result side by side.")] = False
    lost: LostPolicy = "hold"
    cuts: CutsPolicy = "each"
    refine: Refinement = "flow"
    landmarker: Landmarker = None
    verbose: Verbose = False

    def run(self) -> int:
        """Write the video, say where it is, return the exit code. Raises BadArgument, InputError."""
        from reenact.media.files import existing_file

        existing_file(self.source, "a photo")
        check_driving(self.driving)
        check_output(self.output, ".mp4", [self.source, self.driving])
        if isinstance(self.neutral, Path):
            existing_file(self.neutral, "a frame's number or a picture of the driving person")
        if self.head is not None:
            existing_file(self.head, "a .head file")
            if self.same_person:
                raise BadArgument("--head and --same-person both say who the source is; want one of them")
        strengths = parse_strengths(self.strength)

        if self.steps is not None and self.steps < 1:
            raise BadArgument(f"--steps {self.steps} generates nothing; want at least 1")
        if self.generator == "wan" and self.weights is None:
            raise BadArgument("--generator wan has no weights of its own; want --weights with the folder of a training")
        if self.weights is not None and not self.weights.exists():
            raise BadArgument(f"--weights {self.weights} does not exist")

        from reenact.generator.choice import GeneratorOptions
        from reenact.pipeline import AnimateOptions, animate
        from reenact.tracking import TrackOptions

        options = AnimateOptions(
            tracking=TrackOptions(self.driving_face, self.lost, self.cuts, self.refine, self.landmarker, self.device),
            mode=self.mode,
            strength=strengths,
            neutral=self.neutral,
            same_person=self.same_person,
            subject_detail=self.subject_detail,
            head=self.head,
            detail=self.detail,
            generator=GeneratorOptions(self.generator, self.steps, self.guidance, self.seed, self.weights, self.device),
            face=self.face,
            size=self.size,
            crop=self.crop,
            compare=self.compare,
        )
        started = time.monotonic()
        with ProgressLine(sys.stderr) as progress:
            result = animate(self.source, self.driving, self.output, options, progress=progress)
        frames, fps = len(result.target), float(result.driving.fps)
        print(
            f"{self.output.absolute()}: {frames} frames, {frames / fps:.1f} s at "
            f"{fps:g} frames per second, made in {time.monotonic() - started:.1f} s"
        )
        return 0
