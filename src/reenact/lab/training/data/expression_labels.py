# SPDX-License-Identifier: Apache-2.0
"""Real faces whose expression was labelled by eye: what readings of frowns, bared teeth and sadness are held against.

`expression_labels.csv` names pictures and frames of clips, and how much each of fourteen kinds of action is done, both
sides alike, in tenths of the most that people do; an empty cell says nothing. Clips were labelled beside other frames
of the same person, so that a low brow is told from a frown; 54 portraits labelled twice, the second time mirrored,
differ by .07 (root mean square, where anything is done). No picture is in this repository.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from reenact.head.arkit import ACTIONS
from reenact.media import InputError, probe, read_frames, read_image

LABELS: Final = Path(__file__).parent / "expression_labels.csv"
_NAMES: Final = ("split", "file", "frame")
Split = Literal["train", "held"]


@dataclass(frozen=True)
class LabelledFace:
    """One row of the table."""

    split: Split
    file: str
    """Below the data folder."""
    frame: int | None
    """Of a clip; None for a picture."""
    codes: NDArray[np.float32]
    """[52], NaN where nothing is said."""


def read_labels(path: Path = LABELS) -> list[LabelledFace]:
    """Read the table.

    Raises:
        InputError: a column that is missing or is no kind of action, or a cell that makes no sense in its column.
    """
    with path.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        rows = list(table)
    missing = [name for name in _NAMES if name not in (table.fieldnames or ())]
    if missing:
        raise InputError(f"{path} has no column {missing[0]!r}; want {', '.join(_NAMES)} and kinds of actions")
    kinds = {name: _rows(name) for name in table.fieldnames or () if name not in _NAMES}
    for name, columns in kinds.items():
        if not columns:
            raise InputError(f"{path} has a column {name!r}; want {', '.join(_NAMES)} and kinds of actions")
    return [_face(path, number, row, kinds) for number, row in enumerate(rows, start=2)]


def _rows(kind: str) -> list[int]:
    return [i for i, action in enumerate(ACTIONS) if action in (kind, f"{kind}Left", f"{kind}Right")]


def _face(path: Path, line: int, row: dict[str, str], kinds: dict[str, list[int]]) -> LabelledFace:
    codes = np.full(len(ACTIONS), np.nan, np.float32)
    for kind, columns in kinds.items():
        if not row[kind]:
            continue
        try:
            codes[columns] = value = float(row[kind])
        except ValueError:
            value = -1.0
        if not 0.0 <= value <= 1.0:
            raise InputError(f"{path} says {kind} {row[kind]!r} in line {line}; want a number from 0 to 1, or nothing")
    if row["split"] not in ("train", "held"):
        raise InputError(f"{path} says split {row['split']!r} in line {line}; want train or held")
    if row["frame"] and not row["frame"].isdecimal():
        raise InputError(f"{path} says frame {row['frame']!r} in line {line}; want a number of a frame, or nothing")
    split: Split = "held" if row["split"] == "held" else "train"
    return LabelledFace(split, row["file"], int(row["frame"]) if row["frame"] else None, codes)


def picture_of(face: LabelledFace, data: Path) -> NDArray[np.uint8]:
    """Read the picture or frame [H, W, 3] that was labelled. Raises InputError if it is missing or cannot be read."""
    path = data / face.file
    if face.frame is None:
        return np.asarray(read_image(path), np.uint8)
    for shown in read_frames(probe(path)):
        if shown.index == face.frame:
            return shown.image
    raise InputError(f"{path} has no frame {face.frame}; want the one that {LABELS.name} labels")
