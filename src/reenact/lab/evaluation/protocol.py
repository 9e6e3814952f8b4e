# SPDX-License-Identifier: Apache-2.0
"""What is reenacted by whom: pairs of a photo and a driver, in a manifest that any system can be run on.

Self-reenactment: a clip's first frame is the photo and the clip the driver, so the clip itself is the truth.
Cross-reenactment: the driver is somebody else; there is no truth, but for people who do not exist (synth.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

from reenact.media import InputError
from reenact.media.files import existing_file, written_beside

Mode = Literal["neutral", "relative", "absolute"]
FORMAT, VERSION = "reenact-manifest", 1


@dataclass(frozen=True)
class Pair:
    """One thing to reenact. Paths are relative to the manifest's data folder."""

    name: str
    """Of the output video, without its suffix."""
    photo: str
    """A picture, or a video whose first frame is the photo."""
    driver: str
    truth: str | None
    """The video that a perfect output would be; None where nobody knows it."""
    person: str
    driver_person: str
    mode: Mode
    neutral: int | None = None
    """The driver's frame in which they look as the photo does; None: there may be none."""
    mesh: str | None = None
    """The true heads, see mesh.py; None where nobody knows them."""

    @property
    def is_self(self) -> bool:
        return self.person == self.driver_person


@dataclass(frozen=True)
class Manifest:
    """Pairs, and how much of each driver counts."""

    name: str
    pairs: tuple[Pair, ...]
    frames: int
    """Of each driver, from its first."""


@dataclass(frozen=True)
class ValidationPerson:
    """Somebody never trained on."""

    person: str
    who: str
    clips: tuple[str, ...]
    photos: tuple[str, ...]


def validation_people() -> tuple[ValidationPerson, ...]:
    """The fixed validation people, see validation.json."""
    content = json.loads((files("reenact") / "lab" / "evaluation" / "validation.json").read_text(encoding="utf-8"))
    return tuple(
        ValidationPerson(p["person"], p["who"], tuple(p["clips"]), tuple(p["photos"])) for p in content["people"]
    )


def validation_manifest(
    protocol: Literal["self", "cross"], modes: Sequence[Mode] = ("relative", "absolute"), frames: int = 60
) -> Manifest:
    """Self: every validation clip. Cross: every validation person, driven by another who has a clip."""
    people = validation_people()
    with_clips = [p for p in people if p.clips]
    pairs: list[Pair] = []
    for number, person in enumerate(people):
        photo = f"dev/photos/{person.photos[0]}" if person.photos else f"dev/clips/{person.clips[0]}"
        if protocol == "self":
            drivers = [person] if person.clips else []
        else:
            others = [p for p in with_clips if p.person != person.person]
            drivers = [others[(2 * number) % len(others)]]
        for driver in drivers:
            clip = f"dev/clips/{driver.clips[0]}"
            truth = clip if protocol == "self" else None
            for mode in modes:
                name = f"{person.person}--{driver.person}--{mode}"
                own = clip if protocol == "self" else photo
                neutral = 0 if protocol == "self" else None
                pairs.append(Pair(name, own, clip, truth, person.person, driver.person, mode, neutral))
    return Manifest(f"validation-{protocol}", tuple(pairs), frames)


def save_manifest(manifest: Manifest, path: Path) -> None:
    """Write a manifest as json."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "name": manifest.name,
        "frames": manifest.frames,
        "pairs": [asdict(pair) for pair in manifest.pairs],
    }
    with written_beside(path) as partial:
        partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def load_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises InputError, naming the file and what is wrong with it."""
    existing_file(path, "a manifest (json)")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no json ({error}); want a manifest as `reenact evaluate` writes it") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise InputError(f"{path} holds no {FORMAT} version {VERSION}; want one as `reenact evaluate` writes it")
    try:
        pairs = tuple(Pair(**pair) for pair in content["pairs"])
        manifest = Manifest(str(content["name"]), pairs, int(content["frames"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a complete manifest: {error}") from error
    names = [pair.name for pair in pairs]
    if not pairs or len(set(names)) != len(names):
        raise InputError(f"{path} has {len(pairs)} pairs with {len(set(names))} names; want at least one, each its own")
    return manifest
