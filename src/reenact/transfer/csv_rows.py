# SPDX-License-Identifier: Apache-2.0
"""The rows of a Live Link Face csv file: their timecodes and columns, and one sentence for all that is wrong with it.

A timecode is `HH:MM:SS:FF.sss`: FF frames of a second and sss thousandths of a frame.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from reenact.head import arkit
from reenact.media.errors import InputError
from reenact.media.files import existing_file

_DAY_S = 24 * 3600
_RATES = (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)
"""Usual frames per second."""
_NEAR = Fraction(1, 100)

Timecode = tuple[int, Fraction]
"""Whole seconds of the day, and frames."""


def parse_timecode(text: str) -> Timecode | None:
    """The timecode in `text`, None if it is none. `HH:MM:SS:FF` and a semicolon before FF are accepted too."""
    found = re.fullmatch(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,3}(?:\.\d+)?)", text.strip())
    if not found:
        return None
    hours, minutes, seconds = (int(part) for part in found.groups()[:3])
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    return 3600 * hours + 60 * minutes + seconds, Fraction(found[4])


def timecode_text(row: int, fps: Fraction) -> str:
    """The timecode of frame `row`, from 00:00:00:00.000 on. A second has fps frames, rounded up to a whole number."""
    second, frame = divmod(row, ceil(fps))
    return f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}:{frame:02d}.000"


def frame_times(codes: Sequence[Timecode]) -> tuple[list[Fraction], Fraction]:
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
            count = median(ends)
            usual = min((24, 25, 30, 48, 50, 60, 100, 120, 240), key=lambda known: abs(known - count))
            return max(usual if abs(usual - count) <= _NEAR * usual else round(count), least)
    # No second ends within the recording to tell.
    return next((known for known in (60, 120, 240) if known >= least), least)


TIMECODE, NUMBER = "Timecode", "BlendshapeCount"
CURVES: tuple[str, ...] = (
    *(
        f"Eye{action}{side}"
        for side in ("Left", "Right")
        for action in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
    ),
    "JawForward", "JawRight", "JawLeft", "JawOpen", "MouthClose", "MouthFunnel", "MouthPucker", "MouthRight",
    "MouthLeft", "MouthSmileLeft", "MouthSmileRight", "MouthFrownLeft", "MouthFrownRight", "MouthDimpleLeft",
    "MouthDimpleRight", "MouthStretchLeft", "MouthStretchRight", "MouthRollLower", "MouthRollUpper",
    "MouthShrugLower", "MouthShrugUpper", "MouthPressLeft", "MouthPressRight", "MouthLowerDownLeft",
    "MouthLowerDownRight", "MouthUpperUpLeft", "MouthUpperUpRight", "BrowDownLeft", "BrowDownRight", "BrowInnerUp",
    "BrowOuterUpLeft", "BrowOuterUpRight", "CheekPuff", "CheekSquintLeft", "CheekSquintRight", "NoseSneerLeft",
    "NoseSneerRight", "TongueOut",
)  # fmt: skip
"""The 52 curves in the app's order; the ARKit names with a capital."""
ANGLES: tuple[str, ...] = tuple(
    f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll")
)
HEADER: tuple[str, ...] = (TIMECODE, NUMBER, *CURVES, *ANGLES)
ACTION_OF: tuple[int, ...] = tuple(arkit.index(name[0].lower() + name[1:]) for name in CURVES)
"""Position in `arkit.ACTIONS` of each of `CURVES`."""
_LATE = "TongueOut"  # older recordings have the 51 curves of the first ARKit
_WANTED = f"a Live Link Face csv file, whose first line begins with {TIMECODE},{NUMBER},{CURVES[0]}"


@dataclass(frozen=True)
class Rows:
    """N rows, of which those without a face hold zeros."""

    codes: list[Timecode]  # [N]
    lines: list[int]  # [N] line of the file, the header is 1
    seen: NDArray[np.bool_]  # [N] False where the app recorded no face
    curves: NDArray[np.float64]  # [N, 52] in the order of `arkit.ACTIONS`
    angles: NDArray[np.float64]  # [N, 9] radians, in the order of `ANGLES`; 0 where the file has none


def read_rows(path: Path) -> Rows:
    """The rows of a file. Columns may be in any order, commas may be semicolons or tabs, unknown columns are ignored.

    TongueOut may be missing, and so may all nine angles. Rows that end after a count of 0, as the app writes them when
    it sees no face, are kept as such. Raises InputError, naming file, line and column, for anything else.
    """
    existing_file(path, "a Live Link Face csv file")
    table = _table(path)
    (_, header), body = table[0], table[1:]
    place = _columns(path, header)
    if not body:
        raise InputError(f"{path} has a first line and no frames after it; want one line for each frame")
    codes, lines, seen, curves, angles = [], [], [], [], []
    for line, cells in body:
        code = parse_timecode(cells[place[TIMECODE]]) if place[TIMECODE] < len(cells) else None
        if code is None:
            found = cells[place[TIMECODE]] if place[TIMECODE] < len(cells) else ""
            raise InputError(f"{path} line {line}, column {TIMECODE}: {_quoted(found)} is no HH:MM:SS:FF.sss timecode")
        here = not _faceless(cells, place)
        if here and len(cells) != len(header):
            raise InputError(f"{path} line {line} has {len(cells)} values; want the {len(header)} of its first line")
        codes.append(code)
        lines.append(line)
        seen.append(here)
        curves.append([_value(path, line, cells, place, name, 2.0) if here else 0.0 for name in CURVES])
        angles.append([_value(path, line, cells, place, name, math.pi + 1e-3) if here else 0.0 for name in ANGLES])
    if not any(seen):
        raise InputError(f"{path} shows no face in any of its {len(seen)} frames; want a recording of a face")
    in_order = np.zeros((len(codes), len(CURVES)))
    in_order[:, list(ACTION_OF)] = curves
    return Rows(codes, lines, np.asarray(seen), in_order, np.asarray(angles))


def _table(path: Path) -> list[tuple[int, list[str]]]:
    """(line, cells) of each line that is not blank."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is no text; want {_WANTED}") from error
    lines = text.splitlines()
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        table = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise InputError(f"{path} is no readable csv ({error}); want {_WANTED}") from error
    names = {cell.strip().lower() for cell in table[0][1]} if table else set()
    if not names & {name.lower() for name in HEADER}:
        raise InputError(f"{path} begins with {_quoted(first)}; want {_WANTED}")
    return table


def _columns(path: Path, header: Sequence[str]) -> dict[str, int]:
    """Where each known column is. Capitals do not matter: the app itself has written BlendShapeCount."""
    known = {name.lower(): name for name in HEADER}
    place: dict[str, int] = {}
    for column, cell in enumerate(header):
        name = known.get(cell.strip().lower())
        if name in place:
            raise InputError(f"{path} has the column {name} twice; want it once")
        if name:
            place[name] = column
    optional = {NUMBER, _LATE} | (set() if place.keys() & set(ANGLES) else set(ANGLES))
    missing = [name for name in HEADER if name not in place and name not in optional]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise InputError(
            f"{path} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing[:3])}{more}; want the columns that "
            f"Live Link Face writes, of which only {_LATE} or all angles of head and eyes may be missing"
        )
    return place


def _faceless(cells: Sequence[str], place: dict[str, int]) -> bool:
    """Whether the app says of this row that it saw no face: a count of 0, and no value."""
    about = {place[TIMECODE], place.get(NUMBER, -1)}
    count = cells[place[NUMBER]].strip() if NUMBER in place and place[NUMBER] < len(cells) else "0"
    return count in ("0", "") and not any(cell.strip() for i, cell in enumerate(cells) if i not in about)


def _value(path: Path, line: int, cells: Sequence[str], place: dict[str, int], name: str, most: float) -> float:
    """The number in one cell; 0 if the file has no such column."""
    if name not in place:
        return 0.0
    text = cells[place[name]]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f"{path} line {line}, column {name}: {_quoted(text)} is no number; want one with a decimal point"
        )
    if abs(value) > most:
        wanted = "radians" if name in ANGLES else "an activation from 0 to 1"
        raise InputError(f"{path} line {line}, column {name} is {value:g}; want {wanted}")
    return value


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "...")
