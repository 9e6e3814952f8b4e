# SPDX-License-Identifier: Apache-2.0
"""A folder of videos, made by any system for a prepared manifest, scored; what cannot be is named, never skipped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reenact.lab.workers import spread
from reenact.media import InputError, read_image
from reenact.media.files import written_beside
from reenact.media.progress import Progress
from reenact.media.video import VIDEO_SUFFIXES

from .extra import provenance
from .mesh import SUFFIX, load_heads, mesh_errors
from .metrics.identity_networks import OnnxIdentity
from .protocol import Manifest, Pair
from .score import ClipScores, Extras, score_clip

FORMAT, VERSION = "reenact-scores", 1


@dataclass(frozen=True)
class _Job:
    """One pair of one system. Plain data, so that another process can do it."""

    pair: Pair
    inputs: Path
    folder: Path
    identity: tuple[Path, ...]
    """ArcFace-style networks of the user's."""


def score_folder(
    system: str,
    manifest: Manifest,
    inputs: Path,
    folder: Path,
    progress: Progress,
    identity: Sequence[Path] = (),
    jobs: int = 1,
) -> dict[str, Any]:
    """Score FOLDER/<pair name>.mp4 (or another video suffix) for every pair of a manifest prepared under `inputs`.

    A video whose bytes, photo, driver and truth are another pair's (the modes of a system that knows none) is scored
    once. identity: ONNX files beside the default network. jobs: processes.

    Returns the content of a result file, see `save_scores`.
    Raises InputError if the folder does not exist or holds a video for none of the pairs, or for an unusable network.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; want one with a video a pair, named as in {inputs / 'manifest.json'}")
    found = [_video(folder, pair.name) for pair in manifest.pairs]
    if not any(found):
        example = f"{manifest.pairs[0].name}.mp4"
        raise InputError(f"{folder} holds a video for none of the {len(found)} pairs; want files such as {example}")
    _extras(identity)  # refused here, not once a pair
    keys = [_key(pair, video) for pair, video in zip(manifest.pairs, found, strict=True)]
    first = dict(zip(reversed(keys), reversed(manifest.pairs), strict=True))
    work = [_Job(pair, inputs, folder, tuple(identity)) for pair in first.values()]
    scores = dict(zip(first, spread(_score_job, work, jobs, f"scoring {system}", progress), strict=True))
    pairs = [_entry(pair, *scores[key]) for pair, key in zip(manifest.pairs, keys, strict=True)]
    return {
        "format": FORMAT,
        "version": VERSION,
        **provenance(),
        "system": system,
        "manifest": manifest.name,
        "pairs": pairs,
    }


def _score_job(job: _Job) -> tuple[dict[str, Any] | None, str | None]:
    """Score a pair: plain types, or why there are none."""
    pair, video = job.pair, _video(job.folder, job.pair.name)
    if video is None:
        return None, f"no video named {pair.name} in {job.folder}"
    photo: np.ndarray = read_image(job.inputs / pair.photo)
    truth = None if pair.truth is None else job.inputs / pair.truth
    mode = "self" if pair.is_self else "cross"
    try:
        scores = score_clip(video, job.inputs / pair.driver, photo, truth, mode, _extras(job.identity))
        _add_mesh(scores, pair, job.inputs, video)
    except InputError as error:
        return None, str(error)
    return scores.to_json(), None


def _add_mesh(scores: ClipScores, pair: Pair, inputs: Path, video: Path) -> None:
    if pair.mesh is None:
        scores.absent["mesh"] = "nobody knows these people's heads"
        return
    own = video.with_name(f"{video.stem}{SUFFIX}")
    if not own.exists():
        scores.absent["mesh"] = f"the system left no {own.name}"
        return
    for value in mesh_errors(load_heads(own), load_heads(inputs / pair.mesh)):
        scores.values[value.about.key] = value


def _entry(pair: Pair, scores: dict[str, Any] | None, problem: str | None) -> dict[str, Any]:
    return {
        "name": pair.name,
        "protocol": "self" if pair.is_self else "cross",
        "motion_mode": pair.mode,
        "person": pair.person,
        "driver_person": pair.driver_person,
        "problem": problem,
        "scores": scores,
    }


def _key(pair: Pair, video: Path | None) -> tuple[str, ...]:
    if video is None:
        return (pair.name,)
    mesh = video.with_name(f"{video.stem}{SUFFIX}")
    made = [hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "" for path in (video, mesh)]
    return (*made, pair.photo, pair.driver, str(pair.truth))


def _extras(identity: Sequence[Path]) -> Extras:
    return Extras(identity=tuple(OnnxIdentity(path) for path in identity))


def _video(folder: Path, name: str) -> Path | None:
    return next((p for suffix in VIDEO_SUFFIXES if (p := folder / f"{name}{suffix}").is_file()), None)


def save_scores(scores: dict[str, Any], path: Path) -> None:
    """Write a result file."""
    with written_beside(path) as partial:
        partial.write_text(json.dumps(scores, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def load_scores(path: Path) -> dict[str, Any]:
    """Read a result file as plain types. Raises InputError if it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read as a result file ({error}); `reenact evaluate` writes one") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT or content.get("version") != VERSION:
        raise InputError(f"{path} is no {FORMAT} version {VERSION}; `reenact evaluate` writes one")
    return content
