# SPDX-License-Identifier: Apache-2.0
"""What is reenacted by whom: pairs of a photo and a driver, in a manifest that any system can be run on, and its files.

Self-reenactment: a clip's first frame is the photo and the clip the driver, so the clip itself is the truth.
Cross-reenactment: the driver is somebody else; there is no truth, but for people who do not exist (synth.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from itertools import islice
from pathlib import Path
from typing import Literal

from reenact.media import InputError, VideoWriter, probe, read_frames, read_image, write_image
from reenact.media.files import existing_file, written_beside
from reenact.media.image import resized
from reenact.media.progress import Progress
from reenact.media.video import VIDEO_SUFFIXES

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
    """Read the fixed validation people, see validation.json."""
    content = json.loads((files("reenact") / "lab" / "evaluation" / "validation.json").read_text(encoding="utf-8"))
    return tuple(
        ValidationPerson(p["person"], p["who"], tuple(p["clips"]), tuple(p["photos"])) for p in content["people"]
    )


def validation_manifest(
    protocol: Literal["self", "cross"], modes: Sequence[Mode] = ("relative", "absolute"), frames: int = 60
) -> Manifest:
    """List the pairs. Self: every validation clip. Cross: every validation person, driven by another who has a clip."""
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


_LOSSLESS_ENOUGH = 8  # x264 quality of the cut drivers: their own noise is far above what this leaves


def prepare(manifest: Manifest, data: Path, out: Path, progress: Progress) -> Manifest:
    """Write `out`/photos/*.png, `out`/drivers/*.mp4 and `out`/manifest.json, whose paths are relative to `out`.

    Raises InputError if a file of the manifest is missing or cannot be read; what is there already is kept.
    """
    for folder in ("photos", "drivers"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    pairs = []
    for number, pair in enumerate(manifest.pairs, start=1):
        photo = _photo(pair, data, out)
        driver = _cut(pair.driver, manifest.frames, data, out)
        truth = None if pair.truth is None else _cut(pair.truth, manifest.frames, data, out)
        pairs.append(replace(pair, photo=photo, driver=driver, truth=truth))
        progress("preparing", number, len(manifest.pairs))
    prepared = replace(manifest, pairs=tuple(pairs))
    save_manifest(prepared, out / "manifest.json")
    return prepared


def _photo(pair: Pair, data: Path, out: Path) -> str:
    source = existing_file(data / pair.photo, f"the photo of {pair.name}")
    name = f"photos/{Path(pair.photo).stem}.png"
    if not (out / name).exists():
        is_video = source.suffix.lower() in VIDEO_SUFFIXES
        image = next(read_frames(probe(source))).image if is_video else read_image(source)
        # No driver is larger than 1024 px, and detectors see a fraction of it.
        large = pair.truth is None and max(image.shape[:2]) > 1024
        write_image(out / name, resized(image, 1024) if large else image)
    return name


def _cut(video: str, frames: int, data: Path, out: Path) -> str:
    source = existing_file(data / video, "a driver")
    name = f"drivers/{Path(video).stem}.mp4"
    if not (out / name).exists():
        info = probe(source)
        with VideoWriter(out / name, info.fps, info.width, info.height, crf=_LOSSLESS_ENOUGH) as writer:
            for frame in islice(read_frames(info), frames):
                writer.write(frame.image)
    return name
