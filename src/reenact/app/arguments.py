# SPDX-License-Identifier: Apache-2.0
"""What several commands share: argument types, and the checks that need no heavy import."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from reenact.media.files import asset

if TYPE_CHECKING:
    from reenact.head.model import ParametricHead

log = logging.getLogger(__name__)

MOTION_SUFFIX = ".motion.safetensors"


class BadArgument(ValueError):
    """An argument that cannot be used. The message is one sentence for the user.

    The rooms below say InputError; this one lives here because importing theirs loads what makes `--help`
    slow, and what `doctor` must do without when it is missing.
    """


def flag(help: str, *aliases: str) -> object:
    """Description of an option that is either given or not."""
    return tyro.conf.arg(help=help, help_behavior_hint="", aliases=aliases)


Verbose = Annotated[bool, flag("Say more, including what the libraries underneath say.", "-v")]
FaceIndex = Annotated[int, tyro.conf.arg(metavar="N", help="Which face, counted from the largest, which is 0.")]
LostPolicy = Annotated[
    Literal["hold", "fail", "skip"],
    tyro.conf.arg(help="Frames without a face: hold the expression over them, fail, or skip them."),
]
CutsPolicy = Annotated[
    Literal["each", "first", "fail"],
    tyro.conf.arg(help="A driving video with cuts: fit each shot by itself, use only the first, or fail."),
]
Refinement = Annotated[
    Literal["flow", "none"],
    tyro.conf.arg(
        help="Correct the tracked face by optical flow in the video, or leave it as detected, which is faster."
    ),
]


HeadModelFile = Annotated[
    Path | None,
    tyro.conf.arg(
        metavar="FILE",
        help="Experimental: your own SMPL-X or FLAME file, .npz or .safetensors, to use in place of our head; see "
        "docs/head-models.md.",
        help_behavior_hint="(default: our own, open head)",
    ),
]
Landmarker = Annotated[
    Path | None,
    tyro.conf.arg(
        metavar="FILE.task",
        help="A MediaPipe FaceLandmarker file to use in place of the bundled landmark network.",
        help_behavior_hint="(default: the bundled one)",
    ),
]
Device = Annotated[
    str | None,
    tyro.conf.arg(
        metavar="NAME",
        help="Where networks run, but for MediaPipe's, which use the CPU: cpu, cuda, mps.",
        help_behavior_hint="(default: the accelerator if there is one)",
    ),
]


def bundled_motions() -> list[str]:
    """Names of the motions that come with the package, in alphabetical order."""
    return sorted(path.name.removesuffix(MOTION_SUFFIX) for path in asset("motions").glob(f"*{MOTION_SUFFIX}"))


def check_driving(motion: Path) -> None:
    """Raise BadArgument unless `motion` is a file or the name of a bundled motion."""
    names = bundled_motions()
    if motion.is_file() or str(motion) in names:
        return
    raise BadArgument(f"driving motion {motion} is neither a file nor a bundled motion ({', '.join(names)})")


def check_output(output: Path, suffix: str, inputs: Sequence[Path]) -> None:
    """Raise BadArgument unless `output` can become a new file with this suffix and overwrites no input."""
    if not output.name.endswith(suffix) or output.name == suffix:
        raise BadArgument(f"output {output} must have a name that ends in {suffix}")
    if output.is_dir():
        raise BadArgument(f"output {output} is a folder; give the name of a file in it")
    check_folder_of(output)
    for path in inputs:
        if path.exists() and output.exists() and output.samefile(path):
            raise BadArgument(f"output {output} is also an input; it would be overwritten")


def check_folder_of(output: Path) -> None:
    """Raise BadArgument unless the folder exists in which a file or folder is to be written."""
    if not output.absolute().parent.is_dir():
        raise BadArgument(f"the folder of output {output} does not exist")


def parse_strengths(items: Sequence[str]) -> dict[str, float]:
    """`["eyes=1.2", "head=0.5"]` as `{"eyes": 1.2, "head": 0.5}`.

    Raises BadArgument, which names the item that is not NAME=X.
    """
    strengths: dict[str, float] = {}
    for item in items:
        region, equals, number = item.partition("=")
        try:
            value = float(number)
        except ValueError:
            value = float("nan")
        if not (region and equals and 0 <= value < float("inf")):
            raise BadArgument(f"--strength {item} is not NAME=X with a number X >= 0, as in eyes=1.2")
        strengths[region] = value
    return strengths


def chosen_head(path: Path | None) -> ParametricHead:
    """The open head, or that of a file, shown to the landmark detector: the open head may have been laid on it wrongly.

    Raises InputError if the file is no model of a head.
    """
    from reenact.head.open import open_head

    if path is None:
        return open_head()
    from reenact.head.smplx import supplied_head
    from reenact.tracking.landmark_check import landmarks_off_mm

    model = supplied_head(path)
    off_mm = landmarks_off_mm(model)
    if off_mm is None or off_mm > 6.0:  # twice of what the detector scatters by, see tracking/landmark_check.py
        found = "no face" if off_mm is None else f"landmarks {off_mm:.0f} mm from where they were found by its shape"
        log.warning("%s: on pictures of its template the detector sees %s; do not trust the fit", path, found)
    return model
