# SPDX-License-Identifier: Apache-2.0
"""`reenact edit`: a motion changed, put together from two, or carried to and from ARKit csv files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import Positional, UseAppendAction, arg

from .arguments import MOTION_SUFFIX, BadArgument, Verbose, bundled_motions, check_output, flag

if TYPE_CHECKING:
    from fractions import Fraction

    from reenact.head.motion import Motion

CSV_SUFFIX, HEAD_SUFFIX = ".csv", ".head"
_WHAT = "all, a region (eyes, brows, mouth, jaw, gaze, head), an ARKit action (jawOpen) or both its sides (mouthSmile)"


@dataclass(frozen=True)
class Edit:
    """Change a motion, or carry it to and from Live Link Face's csv. Options act in the order listed here.

    Example: reenact edit talking -o calm.motion.safetensors --scale head=0.5 --scale mouth=1.2 --smooth 0.08
    """

    source: Positional[
        Annotated[
            Path,
            arg(
                metavar="MOTION",
                help="A .motion.safetensors file, a .head file, a .csv file of Live Link Face, or the name of a "
                "bundled motion.",
            ),
        ]
    ]
    output: Annotated[
        Path,
        arg(aliases=["-o"], metavar="OUT", help="The file to write: NAME.motion.safetensors, or NAME.csv."),
    ]
    scale: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(metavar="WHAT=X", help=f"Multiply the motion of {_WHAT}. May be repeated, as the next two may."),
    ] = ()
    offset: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(metavar="WHAT=X", help="Add to actions: --offset jawOpen=0.1, --offset mouthSmile=-0.2"),
    ] = ()
    clamp: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(metavar="WHAT=LOW:HIGH", help="Hold actions between two values: --clamp all=0:1"),
    ] = ()
    smooth: Annotated[
        float | None,
        arg(
            metavar="SECONDS",
            help="Average over so much time, without lag and never across a cut. 0.08 takes out jitter.",
            help_behavior_hint="(default: not at all)",
        ),
    ] = None
    smooth_causal: Annotated[
        float | None,
        arg(
            metavar="SECONDS",
            help="The same from the past alone, as a live stream would have it: it lags by about as much.",
            help_behavior_hint="(default: not at all)",
        ),
    ] = None
    retime: Annotated[
        str | None,
        arg(
            metavar="0.5x|30fps|120",
            help="Another speed, another frame rate, or so many frames.",
            help_behavior_hint="(default: as it is)",
        ),
    ] = None
    mix: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(
            metavar="FILE:REGION,...",
            help="Take regions from another motion: --mix other.motion.safetensors:mouth,jaw. May be repeated.",
        ),
    ] = ()
    mirror: Annotated[bool, flag("Swap left and right.")] = False
    cut: Annotated[
        str | None,
        arg(
            metavar="A:B",
            help="Only the frames from A up to, not including, B, counted from 0 after all of the above.",
            help_behavior_hint="(default: all)",
        ),
    ] = None
    csv_fps: Annotated[
        str | None,
        arg(
            metavar="RATE",
            help="Frames per second of csv files that are read.",
            help_behavior_hint="(default: as their timecodes tell)",
        ),
    ] = None
    csv_flip: Annotated[
        UseAppendAction[tuple[str, ...]],
        arg(
            metavar="ANGLE",
            help="Turn the sign of an angle of csv files round, for programs that see it the other way: HeadYaw, "
            "HeadPitch, HeadRoll, LeftEyeYaw and so on. May be repeated.",
        ),
    ] = ()
    verbose: Verbose = False

    def run(self) -> int:
        """Write the motion, say where it is, return the exit code. Raises BadArgument, InputError."""
        scales, offsets = parse_amounts("--scale", self.scale), parse_amounts("--offset", self.offset)
        ranges, mixes = parse_ranges(self.clamp), parse_mixes(self.mix)
        timing = None if self.retime is None else parse_retime(self.retime)
        piece = None if self.cut is None else parse_cut(self.cut)
        fps = None if self.csv_fps is None else parse_fps(self.csv_fps)
        inputs = [self.source, *(path for path, _ in mixes)]
        suffix = CSV_SUFFIX if self.output.name.endswith(CSV_SUFFIX) else MOTION_SUFFIX
        if not self.output.name.endswith(suffix):
            raise BadArgument(f"output {self.output} must have a name that ends in {MOTION_SUFFIX} or {CSV_SUFFIX}")
        check_output(self.output, suffix, inputs)
        for path in inputs:
            _check_source(path)

        from reenact.media.files import existing_file

        for path in inputs:
            if path.name.endswith((MOTION_SUFFIX, CSV_SUFFIX, HEAD_SUFFIX)):
                existing_file(path, "a motion")  # before the heavy imports

        from reenact.transfer import edit
        from reenact.transfer.edit import mix
        from reenact.transfer.smoothing import smooth, smooth_causal
        from reenact.transfer.timing import retime

        motion = self._read(self.source, fps)
        for what, factor in scales:
            motion = edit.scale(motion, what, factor)
        for what, amount in offsets:
            motion = edit.offset(motion, what, amount)
        for what, low, high in ranges:
            motion = edit.clamp(motion, what, low, high)
        if self.smooth is not None:
            motion = smooth(motion, self.smooth)
        if self.smooth_causal is not None:
            motion = smooth_causal(motion, self.smooth_causal)
        if timing is not None:
            motion = retime(motion, speed=timing.speed, fps=timing.fps, frames=timing.frames)
        for path, regions in mixes:
            motion = mix(motion, self._read(path, fps), regions)
        if self.mirror:
            motion = edit.mirror(motion)
        if piece is not None:
            motion = edit.cut(motion, *piece)
        self._write(motion)
        rate = float(motion.fps)
        print(
            f"{self.output.absolute()}: {len(motion)} frames, {len(motion) / rate:.1f} s at {rate:g} frames per second"
        )
        return 0

    def _read(self, path: Path, fps: Fraction | None) -> Motion:
        from reenact.head.open import open_head

        if path.name.endswith(CSV_SUFFIX):
            from reenact.transfer.arkit_csv import read_arkit_csv

            return read_arkit_csv(path, open_head(), fps=fps, flipped=self.csv_flip)
        from reenact.pipeline import read_driving

        return read_driving(open_head(), path)

    def _write(self, motion: Motion) -> None:
        if self.output.name.endswith(CSV_SUFFIX):
            from reenact.transfer.arkit_csv import write_arkit_csv

            write_arkit_csv(motion, self.output, flipped=self.csv_flip)
            return
        from reenact.tracking import save_motion

        save_motion(motion, self.output)


def _check_source(path: Path) -> None:
    """Raise BadArgument unless `path` names what can be edited without tracking; whether it exists is asked later."""
    if path.name.endswith((MOTION_SUFFIX, CSV_SUFFIX, HEAD_SUFFIX)):
        return
    names = bundled_motions()
    if str(path) not in names:
        raise BadArgument(
            f"{path} is neither a {MOTION_SUFFIX}, {HEAD_SUFFIX} or {CSV_SUFFIX} file nor a bundled motion "
            f"({', '.join(names)}); `reenact track` makes a motion file of a video"
        )


@dataclass(frozen=True)
class Retime:
    """One of the three is given."""

    speed: float | None = None
    fps: Fraction | None = None
    frames: int | None = None


def parse_amounts(option: str, items: Sequence[str]) -> list[tuple[str, float]]:
    """`["mouth=1.2"]` as `[("mouth", 1.2)]`."""
    amounts = []
    for item in items:
        what, _, text = item.partition("=")
        amount = _number(text)
        if not what or amount is None:
            raise BadArgument(f"{option} {item} is not WHAT=X with a number X, as in mouth=1.2")
        amounts.append((what, amount))
    return amounts


def parse_ranges(items: Sequence[str]) -> list[tuple[str, float, float]]:
    """`["all=0:1"]` as `[("all", 0.0, 1.0)]`."""
    ranges = []
    for item in items:
        what, _, text = item.partition("=")
        first, _, second = text.partition(":")
        low, high = _number(first), _number(second)
        if not what or low is None or high is None:
            raise BadArgument(f"--clamp {item} is not WHAT=LOW:HIGH with two numbers, as in all=0:1")
        ranges.append((what, low, high))
    return ranges


def parse_retime(text: str) -> Retime:
    """`0.5x` is a speed, `30fps` or `30000/1001fps` a rate, `120` a number of frames."""
    if text.endswith("fps"):
        rate = _parse_fraction(text.removesuffix("fps"))
        if rate is not None:
            return Retime(fps=rate)
    elif text.endswith("x"):
        speed = _number(text.removesuffix("x"))
        if speed is not None:
            return Retime(speed=speed)
    elif _is_count(text):
        return Retime(frames=int(text))
    raise BadArgument(f"--retime {text} is no speed (0.5x), no rate (30fps) and no number of frames (120)")


def parse_fps(text: str) -> Fraction:
    """Frames per second of a csv: `60`, `29.97` or `30000/1001`."""
    rate = _parse_fraction(text)
    if rate is None or not 1 <= rate <= 240:
        raise BadArgument(f"--csv-fps {text} is no number of frames per second from 1 to 240, as in 60 or 30000/1001")
    return rate


def _parse_fraction(text: str) -> Fraction | None:
    """A number above 0, None if it is none."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None
    return value if value > 0 else None


def parse_mixes(items: Sequence[str]) -> list[tuple[Path, list[str]]]:
    """`["other.motion.safetensors:mouth,gaze"]` as `[(Path("other.motion.safetensors"), ["mouth", "gaze"])]`."""
    mixes = []
    for item in items:
        path, _, regions = item.rpartition(":")  # the last colon: a drive may have one
        if not path or not regions:
            raise BadArgument(f"--mix {item} is not FILE:REGION,REGION, as in other.motion.safetensors:mouth,jaw")
        mixes.append((Path(path), regions.split(",")))
    return mixes


def parse_cut(text: str) -> tuple[int | None, int | None]:
    """`10:50` as (10, 50); either may be left out."""
    first, colon, last = text.partition(":")
    if not colon or not all(part == "" or _is_count(part) for part in (first, last)):
        raise BadArgument(f"--cut {text} is not A:B with two numbers of frames, as in 10:50, 10: or :50")
    return int(first) if first else None, int(last) if last else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
