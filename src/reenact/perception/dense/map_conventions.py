# SPDX-License-Identifier: Apache-2.0
"""``maps.json``: what the maker of a folder of maps says about them; see docs/maps-format.md.

Everything that could be taken for something else has to be said: axes, kind of depth, what part of the picture is
covered, and the number of the first frame. Nothing has a default that could be wrong in silence.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from reenact.media import InputError
from reenact.media.files import existing_file

from .network import CLASSES

NAME: Final = "maps.json"
FORMAT: Final = "reenact-maps"
VERSION: Final = 1
AXES: Final = {"x": {"right": 1.0, "left": -1.0}, "y": {"down": 1.0, "up": -1.0}, "z": {"away": 1.0, "towards": -1.0}}
"""What each axis may be said to point to, as seen by who looks at the picture, and its sign in our frame."""


@dataclass(frozen=True)
class MapConventions:
    """A folder's maps.json, checked."""

    first: int  # the number that the video's first frame (or the photo) has in the names of the files
    signs: NDArray[np.float32]  # [3] what the stated x, y, z are to be multiplied with to be right, down, away
    covers: tuple[float, float, float, float] | None  # left, top, width, height, px of the picture; None: all of it
    looks_ahead: bool  # whether normals are in the space of a camera that looks at the middle of what is covered
    depth: str | None
    """Of the depth maps, along the viewing axis, not along each pixel's ray; None without depth. metric: known scale.
    relative: larger is farther, scale and shift unknown. disparity: of 1 / depth, likewise."""
    focal_px: float | None  # of metric depth: focal length in px of the picture that the estimator knew or found
    labels: dict[int, int] | None  # the maker's class number -> index into network.CLASSES

    @staticmethod
    def read(folder: Path) -> MapConventions:
        """Read FOLDER/maps.json. Raises InputError, naming the file, what it says and what is wanted."""
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder; want one with {NAME} and maps, see docs/maps-format.md")
        path = existing_file(folder / NAME, "the file that says which coordinate frame the maps are in")
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not JSON ({error}); see docs/maps-format.md") from error
        entry = _Entry(path, "", said)
        entry.only("format", "version", "first", "covers", "normals", "depth", "classes")
        if (entry.get("format"), entry.get("version")) != (FORMAT, VERSION):
            raise InputError(
                f"{path} has format {said.get('format')!r}, version {said.get('version')!r}; want {FORMAT!r}, 1"
            )
        covers = _covers(entry)
        normals = entry.below("normals")
        normals.only(*AXES, "handed", "camera")
        depth, focal_px = _depth(entry.below("depth")) if "depth" in said else (None, None)
        return MapConventions(
            first=entry.whole("first"),
            signs=_signs(normals),
            covers=covers,
            looks_ahead=covers is not None and normals.one_of("camera", ("picture", "covered")) == "covered",
            depth=depth,
            focal_px=focal_px,
            labels=_labels(entry.below("classes")) if "classes" in said else None,
        )


@dataclass(frozen=True)
class _Entry:
    """An object of the file and where in it it stands."""

    path: Path
    place: str
    said: Any

    def __post_init__(self) -> None:
        if not isinstance(self.said, dict):
            raise InputError(f"{self.path} has {self._at()} that is {self.said!r}; want an object, {{...}}")

    def _at(self, key: str = "") -> str:
        return ".".join(part for part in (self.place, key) if part) or "a whole"

    def only(self, *keys: str) -> None:
        extra = sorted(set(self.said) - set(keys))
        if extra:
            raise InputError(f"{self.path} says {self._at(extra[0])}, which means nothing; want {', '.join(keys)}")

    def get(self, key: str) -> Any:
        if key not in self.said:
            raise InputError(f"{self.path} does not say {self._at(key)}; docs/maps-format.md tells what it has to")
        return self.said[key]

    def below(self, key: str) -> _Entry:
        return _Entry(self.path, self._at(key), self.get(key))

    def one_of(self, key: str, choices: tuple[str, ...]) -> str:
        value = self.get(key)
        if value not in choices:
            raise InputError(f"{self.path} says {self._at(key)} is {value!r}; want one of {', '.join(choices)}")
        return value

    def whole(self, key: str) -> int:
        value = self.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise InputError(f"{self.path} says {self._at(key)} is {value!r}; want a whole number from 0")
        return value

    def positive(self, key: str) -> float:
        value = self.get(key)
        if not _is_number(value) or not 0 < value < float("inf"):
            raise InputError(f"{self.path} says {self._at(key)} is {value!r}; want a number above 0")
        return float(value)


def _signs(normals: _Entry) -> NDArray[np.float32]:
    chosen = {axis: normals.one_of(axis, tuple(ways)) for axis, ways in AXES.items()}
    signs = np.asarray([AXES[axis][way] for axis, way in chosen.items()], np.float32)
    handed = "left" if signs.prod() < 0 else "right"
    if handed == "left" and normals.said.get("handed") != "left":
        frame = ", ".join(f"{axis} {way}" for axis, way in chosen.items())
        raise InputError(
            f"{normals.path} says normals have {frame}, which is a left-handed frame and mostly a slip; "
            'want a right-handed one, or "handed": "left" beside it if it is meant'
        )
    if "handed" in normals.said and normals.one_of("handed", ("left", "right")) != handed:
        raise InputError(f"{normals.path} says normals are handed {normals.said['handed']!r}; their axes say otherwise")
    return signs


def _covers(entry: _Entry) -> tuple[float, float, float, float] | None:
    value = entry.get("covers")
    if value == "picture":
        return None
    numbers = isinstance(value, list) and len(value) == 4 and all(_is_number(v) for v in value)
    if not numbers or not np.isfinite(value).all() or min(value[2:]) <= 0:
        raise InputError(
            f'{entry.path} says covers is {value!r}; want "picture" or [left, top, width, height] in pixels'
        )
    left, top, width, height = (float(v) for v in value)
    return left, top, width, height


def _depth(depth: _Entry) -> tuple[str, float | None]:
    kind = depth.one_of("kind", ("metric", "relative", "disparity"))
    if kind != "metric":
        depth.only("kind")
        return kind, None
    depth.only("kind", "focal_px")
    return kind, depth.positive("focal_px")


def _labels(classes: _Entry) -> dict[int, int]:
    labels = {}
    for number in classes.said:
        if not number.isdecimal() or int(number) > 255:
            raise InputError(
                f"{classes.path} has the class {number!r}; want numbers from 0 to 255 as they are in the maps"
            )
        labels[int(number)] = CLASSES.index(classes.one_of(number, CLASSES))
    return labels


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
