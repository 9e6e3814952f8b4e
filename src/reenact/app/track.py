# SPDX-License-Identifier: Apache-2.0
"""`reenact track`: the motion of a video, as a small file that can drive any source."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from .arguments import (
    MOTION_SUFFIX,
    CutsPolicy,
    Device,
    FaceIndex,
    HeadModelFile,
    Landmarker,
    LostPolicy,
    Refinement,
    Verbose,
    check_output,
    chosen_head,
)
from .progress import ProgressLine


@dataclass(frozen=True)
class Track:
    """Follow a face through a video and write its motion: expression, jaw, gaze, head pose and camera.

    Example: reenact track me.mp4 -o me.motion.safetensors
    """

    video: Positional[Annotated[Path, arg(metavar="VIDEO", help="The video, or image, of a face.")]]
    output: Annotated[
        Path,
        arg(
            aliases=["-o"],
            metavar="NAME.motion.safetensors",
            help="The file to write; `reenact animate` takes it as the driving motion.",
        ),
    ]
    face: FaceIndex = 0
    lost: LostPolicy = "hold"
    cuts: CutsPolicy = "each"
    refine: Refinement = "flow"
    landmarker: Landmarker = None
    device: Device = None
    head_model: HeadModelFile = None
    verbose: Verbose = False

    def run(self) -> int:
        """Write the motion, say where it is, return the exit code. Raises BadArgument, InputError."""
        from reenact.media.files import existing_file

        existing_file(self.video, "a video")
        check_output(self.output, MOTION_SUFFIX, [self.video])
        model = chosen_head(self.head_model)

        from reenact.pipeline import read_driving
        from reenact.tracking import TrackOptions, save_motion

        options = TrackOptions(self.face, self.lost, self.cuts, self.refine, self.landmarker, self.device)
        started = time.monotonic()
        with ProgressLine(sys.stderr) as progress:
            save_motion(read_driving(model, self.video, options, progress), self.output)
        print(f"{self.output.absolute()}: tracked in {time.monotonic() - started:.1f} s")
        return 0
