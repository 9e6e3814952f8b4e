# SPDX-License-Identifier: Apache-2.0
"""`reenact head`: a person's own head, from one video or photo, or several."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from reenact import __version__

from .arguments import BadArgument, Device, FaceIndex, HeadModelFile, Landmarker, Verbose, check_output, chosen_head
from .progress import ProgressLine


@dataclass(frozen=True)
class Head:
    """Fit a person's own head: who it is, and what the face does in every frame.

    Example: reenact head me.mp4 another-photo-of-me.jpg -o me.head
    """

    sources: Positional[
        Annotated[
            tuple[Path, ...],
            arg(metavar="VIDEO|PHOTO", help="Of one person. The file keeps the motion of the first one only."),
        ]
    ]
    output: Annotated[Path, arg(aliases=["-o"], metavar="PERSON.head", help="The file to write.")]
    maps: UseAppendAction[
        Annotated[
            tuple[Path, ...],
            arg(
                metavar="FOLDER",
                help="Normals, and perhaps depth, masks and classes, of any estimator, to use in place of our own "
                "network's; see docs/maps-format.md. Given once it is of the first source, once more of the second.",
                help_behavior_hint="(default: our own network)",
            ),
        ]
    ] = ()
    head_model: HeadModelFile = None
    face: FaceIndex = 0
    landmarker: Landmarker = None
    device: Device = None
    verbose: Verbose = False

    def run(self) -> int:
        """Write the head, say where it is, return the exit code. Raises BadArgument, InputError."""
        from reenact.media.files import existing_file

        if not self.sources:
            raise BadArgument("no video or photo was given; want at least one of the person")
        for path in self.sources:
            existing_file(path, "a video or photo")
        given = self.sources if self.head_model is None else (*self.sources, self.head_model)
        check_output(self.output, ".head", given)
        if len(self.maps) > len(self.sources):
            raise BadArgument(f"{len(self.maps)} --maps for {len(self.sources)} source(s); want at most one for each")

        from reenact.perception.dense.from_files import BySource, MapFolder
        from reenact.perception.dense.shipped import shipped_estimator
        from reenact.subject.checkpoint import FitCheckpoint, stamp
        from reenact.subject.fit_subject import fit_subject
        from reenact.subject.store import save_head
        from reenact.tracking import TrackOptions

        started = time.monotonic()
        own = shipped_estimator(self.device)
        of_files = {source: MapFolder(folder, own) for source, folder in zip(self.sources, self.maps, strict=False)}
        estimator = BySource(of_files, own) if of_files else own
        model = chosen_head(self.head_model)
        files = [stamp(path) for path in (*self.sources, *self.maps, self.landmarker, self.head_model) if path]
        settings = [__version__, len(self.sources), self.face, estimator.name, model.name]
        checkpoint = FitCheckpoint(self.output.with_name(f".{self.output.name}.partial"), [files, settings])
        try:
            with ProgressLine(sys.stderr) as progress:
                subject = fit_subject(
                    model,
                    self.sources,
                    TrackOptions(self.face, landmarker=self.landmarker, device=self.device),
                    detail="personal",
                    estimator=estimator,
                    checkpoint=checkpoint,
                    progress=progress,
                )
        except KeyboardInterrupt:
            if not checkpoint.folder.is_dir():
                raise
            raise KeyboardInterrupt(f"{checkpoint.folder} holds the fit so far; the same command goes on") from None
        save_head(subject, self.output, references=False)
        checkpoint.remove()
        seconds, frames = time.monotonic() - started, 0 if subject.motion is None else len(subject.motion)
        size = self.output.stat().st_size / 1e6
        print(f"{self.output.absolute()}: {frames} frame(s), {size:.1f} MB, fitted in {seconds:.1f} s")
        return 0
