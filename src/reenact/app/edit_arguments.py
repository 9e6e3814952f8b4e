# SPDX-License-Identifier: Apache-2.0
"""What the options of `reenact edit` mean: text into numbers, with one sentence for what makes no sense."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from .arguments import BadArgument


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
        rate = parse_fraction(text.removesuffix("fps"))
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
    rate = parse_fraction(text)
    if rate is None or not 1 <= rate <= 240:
        raise BadArgument(f"--csv-fps {text} is no number of frames per second from 1 to 240, as in 60 or 30000/1001")
    return rate


def parse_fraction(text: str) -> Fraction | None:
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
