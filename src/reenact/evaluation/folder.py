# SPDX-License-Identifier: Apache-2.0
"""A folder of videos, made by any system for a prepared manifest, scored; what cannot be is named, never skipped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reenact.media import InputError, read_image
from reenact.media.files import written_beside

from .inputs import VIDEO_SUFFIXES
from .protocol import Manifest, Pair
from .provenance import provenance
from .score import ClipScores, Extras, score_clip

FORMAT, VERSION = "reenact-scores", 1
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class PairScores:
    """One pair of one system: its scores, or why there are none."""

    pair: Pair
    video: Path | None
    scores: ClipScores | None
    problem: str | None


@dataclass(frozen=True)
class SystemScores:
    """All pairs of one system."""

    system: str
    manifest: str
    pairs: tuple[PairScores, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain types, every number with its provenance."""
        return {
            "format": FORMAT,
            "version": VERSION,
            **provenance(),
            "system": self.system,
            "manifest": self.manifest,
            "pairs": [
                {
                    "name": one.pair.name,
                    "protocol": "self" if one.pair.is_self else "cross",
                    "motion_mode": one.pair.mode,
                    "person": one.pair.person,
                    "driver_person": one.pair.driver_person,
                    "problem": one.problem,
                    "scores": None if one.scores is None else one.scores.to_json(),
                }
                for one in self.pairs
            ],
        }


def score_folder(
    system: str, manifest: Manifest, inputs: Path, folder: Path, progress: Progress, extras: Extras | None = None
) -> SystemScores:
    """Score FOLDER/<pair name>.mp4 (or another video suffix) for every pair of a manifest prepared under `inputs`.

    Raises InputError if the folder does not exist or holds a video for none of the pairs.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; want one with a video a pair, named as in {inputs / 'manifest.json'}")
    found = [_video(folder, pair.name) for pair in manifest.pairs]
    if not any(found):
        example = f"{manifest.pairs[0].name}.mp4"
        raise InputError(f"{folder} holds a video for none of the {len(found)} pairs; want files such as {example}")
    pairs = []
    for number, (pair, video) in enumerate(zip(manifest.pairs, found, strict=True), start=1):
        pairs.append(_score(pair, video, inputs, folder, extras))
        progress(f"scoring {system}", number, len(found))
    return SystemScores(system, manifest.name, tuple(pairs))


def _score(pair: Pair, video: Path | None, inputs: Path, folder: Path, extras: Extras | None) -> PairScores:
    if video is None:
        return PairScores(pair, None, None, f"no video named {pair.name} in {folder}")
    photo: np.ndarray = read_image(inputs / pair.photo)
    truth = None if pair.truth is None else inputs / pair.truth
    try:
        scores = score_clip(video, inputs / pair.driver, photo, truth, "self" if pair.is_self else "cross", extras)
    except InputError as error:
        return PairScores(pair, video, None, str(error))
    return PairScores(pair, video, scores, None)


def _video(folder: Path, name: str) -> Path | None:
    return next((p for suffix in VIDEO_SUFFIXES if (p := folder / f"{name}{suffix}").is_file()), None)


def save_scores(scores: SystemScores, path: Path) -> None:
    """Write a result file."""
    with written_beside(path) as partial:
        partial.write_text(json.dumps(scores.to_json(), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def load_scores(path: Path) -> dict[str, Any]:
    """Read a result file as plain types. Raises InputError if it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read as a result file ({error}); `reenact evaluate` writes one") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise InputError(f"{path} is no {FORMAT} version {VERSION}; `reenact evaluate` writes one")
    return content
