# SPDX-License-Identifier: Apache-2.0
"""Timecodes as Live Link Face writes them: `HH:MM:SS:FF.sss`, FF frames of a second and sss thousandths of a frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from statistics import median

_FORM = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,3}(?:\.\d+)?)")
_DAY_S = 24 * 3600
_BASES = (24, 25, 30, 48, 50, 60, 100, 120, 240)
"""Frames a second that FF counts to."""
_USUAL_BASES = (60, 120, 240)
"""The same where no second ends within the recording to tell."""
_RATES = (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
_NEAR = Fraction(1, 100)

Timecode = tuple[int, Fraction]
"""Whole seconds of the day, and frames."""


def parsed(text: str) -> Timecode | None:
    """The timecode in `text`, None if it is none. `HH:MM:SS:FF` and a semicolon before FF are accepted too."""
    found = _FORM.fullmatch(text.strip())
    if not found:
        return None
    hours, minutes, seconds = (int(part) for part in found.groups()[:3])
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return 3600 * hours + 60 * minutes + seconds, Fraction(found[4])


def written(row: int, fps: Fraction) -> str:
    """The timecode of frame `row`, from 00:00:00:00.000 on. A second has fps frames, rounded up to a whole number."""
    second, frame = divmod(row, ceil(fps))
    return f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}:{frame:02d}.000"


def frames_of(codes: Sequence[Timecode]) -> tuple[list[Fraction], Fraction]:
    """Time of each code in frames of the recording, from 0 at the first, and the recording's frames per second.

    FF may count finer than the recording has frames: the app counts 60 a second at 30 frames a second. What it counts
    to shows where a second ends within the recording, else it is taken for 60. Midnight may pass once. The rate is
    taken for a usual one if within 1 % of it. One code: at 0, and as many frames per second as FF counts.
    """
    base = _base(codes)
    ticks = [second * base + frame for second, frame in _through_midnight(codes)]
    steps = [later - earlier for earlier, later in pairwise(ticks) if later > earlier]
    if not steps:
        return [tick - ticks[0] for tick in ticks], Fraction(base)
    rate = base / median(steps)
    usual = min(_RATES, key=lambda known: abs(known - rate))
    fps = Fraction(usual) if abs(usual - rate) <= _NEAR * usual else rate.limit_denominator(1001)
    return [(tick - ticks[0]) * fps / base for tick in ticks], fps


def _through_midnight(codes: Sequence[Timecode]) -> list[Timecode]:
    late = codes[0][0] > _DAY_S // 2
    return [(s + _DAY_S if late and s < _DAY_S // 2 else s, f) for s, f in codes]


def _base(codes: Sequence[Timecode]) -> int:
    """How many frames FF counts in a second."""
    least = max(floor(frame) for _, frame in codes) + 1
    pairs = list(pairwise(_through_midnight(codes)))
    steps = [b[1] - a[1] for a, b in pairs if a[0] == b[0] and b[1] > a[1]]
    if steps:
        step = median(steps)
        ends = [a[1] - b[1] + step for a, b in pairs if b[0] == a[0] + 1]
        if ends:
            told = median(ends)
            usual = min(_BASES, key=lambda known: abs(known - told))
            return max(usual if abs(usual - told) <= _NEAR * usual else round(told), least)
    return next((known for known in _USUAL_BASES if known >= least), least)
