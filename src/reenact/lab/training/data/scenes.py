# SPDX-License-Identifier: Apache-2.0
"""Scenes that a generator is trained on: a photo, and runs of frames in which the same person moves.

A scene is one safetensors file. Pictures are kept as compressed files (JPEG; PNG for labels), one after the other in a
row of bytes NAME, with the end of each in NAME.ends:

    photo, photo_normals, photo_regions            1 picture each
    frames, warped, normals, regions, visibility   F pictures each
    landmarks         float16 [F, 478, 2]   of the driven head, px of the picture
    runs              int32 [R]             frames of each run; the frames of a run follow each other in time

Its metadata says who is seen ("person"), in what ("source"), and under which licence. Scenes written by earlier
versions have more arrays, which are not read.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reenact.media.arrays import read_arrays, write_arrays

Bytes = NDArray[np.uint8]
PHOTO = ("photo", "photo_normals", "photo_regions")
MOVING = ("frames", "warped", "normals", "regions", "visibility")
_LABELS = ("regions", "photo_regions", "visibility")


def save_scene(
    path: Path,
    pictures: Mapping[str, Sequence[Bytes]],
    landmarks: NDArray[np.floating],
    runs: Sequence[int],
    about: dict[str, str],
) -> None:
    """Write a scene; beside the target first.

    Args:
        path: the file.
        pictures: those of PHOTO and MOVING by name, uint8 [S, S, 3] or [S, S] each.
        landmarks: [F, 478, 2] px.
        runs: frames of each run.
        about: person, source and licence.
    """
    arrays: dict[str, NDArray[np.generic]] = {
        "landmarks": landmarks.astype(np.float16),
        "runs": np.asarray(runs, np.int32),
    }
    for name in (*PHOTO, *MOVING):
        packed = [_packed(picture, labels=name in _LABELS) for picture in pictures[name]]
        arrays[name] = np.frombuffer(b"".join(packed), np.uint8)
        arrays[f"{name}.ends"] = np.cumsum([len(p) for p in packed]).astype(np.int64)
    write_arrays(path, arrays, about)


class Scene:
    """A scene as it is read: nothing is held but the row of bytes."""

    def __init__(self, path: Path) -> None:
        """Open a scene. Raises InputError if the file is no safetensors file."""
        self._arrays, self.about = read_arrays(path, "scene")
        self.path = path
        self.runs: list[int] = self._arrays["runs"].tolist()

    @property
    def person(self) -> str:
        return self.about["person"]

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """Landmarks [F, 478, 2], px."""
        return self._arrays["landmarks"].astype(np.float32)

    def __len__(self) -> int:
        return sum(self.runs)

    def picture(self, name: str, number: int = 0) -> Bytes:
        """Decode a picture: [S, S, 3], or [S, S] of labels and visibility."""
        ends = self._arrays[f"{name}.ends"]
        first = int(ends[number - 1]) if number else 0
        return np.asarray(Image.open(io.BytesIO(self._arrays[name][first : int(ends[number])].tobytes())))


def _packed(picture: Bytes, *, labels: bool) -> bytes:
    out = io.BytesIO()
    if labels:
        Image.fromarray(picture).save(out, "PNG")
    else:
        Image.fromarray(picture).save(out, "JPEG", quality=95, subsampling=0)
    return out.getvalue()
