# SPDX-License-Identifier: Apache-2.0
"""The files of a manifest, cut to length: every system, ours or not, is given the same photos and drivers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

from reenact.media import VideoWriter, probe, read_frames, read_image, write_image
from reenact.media.files import existing_file
from reenact.media.video import VIDEO_SUFFIXES

from .observe import resized
from .protocol import Manifest, Pair, save_manifest

_PHOTO_PX = 1024
"""Longer side that photos are reduced to: no driver has more, and detectors see a fraction of it."""
_LOSSLESS_ENOUGH = 8  # x264 quality of the cut drivers: their own noise is far above what this leaves


def prepare(manifest: Manifest, data: Path, out: Path, progress: Callable[[str, int, int | None], None]) -> Manifest:
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
        factor = min(1.0, _PHOTO_PX / max(image.shape[:2]))
        size = round(image.shape[1] * factor), round(image.shape[0] * factor)
        write_image(out / name, resized(image, size) if pair.truth is None else image)
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
