# SPDX-License-Identifier: Apache-2.0
"""From pictures of one person to a PersonalHead: who it is from key frames, then what is done in every frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np

from reenact.head.levels import Levels, detailed_levels
from reenact.head.model import ParametricHead
from reenact.perception.dense.crops import BASE_FACE_M
from reenact.perception.dense.maps import DenseEstimator
from reenact.perception.dense.shipped import INPUT_PX
from reenact.tracking import clip_of

from .fit import Progress, fit_stages
from .frames_fit import fitted_chunks, observe_rows
from .observation import Observation
from .offsets import Identity, Offsets
from .personal_head import PersonalHead, QuantisedOffsets
from .resume import Kept
from .source import Source, read_source
from .stages import FRAMES, KEY_FRAMES, PERSON, Stage
from .texture import bake_texture

_PERSON, _KNOWN = "person", ("identity", "wide", "narrow", "dolly")
_LOOKED_AT = 8  # pictures that the estimator sees at a time


def fit_head(
    model: ParametricHead,
    sources: Sequence[Path],
    estimator: DenseEstimator,
    *,
    face: int = 0,
    task: Path | None = None,
    progress: Progress = lambda stage, done, total: None,
    stages: Sequence[Stage] = PERSON,
    every_frame: Stage = FRAMES,
    kept: Kept | None = None,
    textured: bool = True,
) -> PersonalHead:
    """Fit the head of a person seen in photos and clips; the first is the one whose performance is kept.

    face, task: of every source, see tracking. stages, every_frame: of the key frames, and of all frames.
    kept: where an interrupted fit goes on; the clip is tracked again, key frames and frames fitted before are not.
    textured: bake a texture.
    Raises InputError, naming the file, if one cannot be used.
    """
    main = read_source(model, sources[0], face, None, task, progress)
    levels = detailed_levels(model.topology)
    share = max(1, KEY_FRAMES // len(sources))
    person = _restored(model, levels, main, kept)
    if person is None:
        others = [read_source(model, path, face, main.person, task, progress) for path in sources[1:]]
        seen = Observation.joined([observed(s, s.key_rows(share), estimator, progress) for s in (main, *others)])
        person = Offsets(levels, len(seen), main.face_size_m / BASE_FACE_M, _identity(model, levels, main))
        fit_stages(person, seen, model.topology, stages, progress)
        if kept is not None:
            kept.save(_PERSON, {name: getattr(person, name) for name in _KNOWN})
    head = _performed(model, levels, main, person, estimator, every_frame, progress, kept)
    if not textured:
        return head
    rows = main.key_rows(share)
    return replace(head, texture=bake_texture(head, model, levels, rows, main.views(rows, INPUT_PX), estimator))


def _identity(model: ParametricHead, levels: Levels, main: Source) -> Identity:
    return Identity.of(model, levels[0], main.person.identity)


def _restored(model: ParametricHead, levels: Levels, main: Source, kept: Kept | None) -> Offsets | None:
    """The person of an interrupted fit; None: not that far yet."""
    found = None if kept is None else kept.load(_PERSON)
    if found is None:
        return None
    person = Offsets(levels, 1, main.face_size_m / BASE_FACE_M, _identity(model, levels, main))
    person.load_state_dict(found, strict=False)
    return person


def observed(source: Source, rows: np.ndarray, estimator: DenseEstimator, progress: Progress) -> Observation:
    """What is known of some rows of a source, rising."""
    parts = []
    views = source.views(rows, INPUT_PX)
    while chunk := list(islice(views, _LOOKED_AT)):
        first = len(parts) * _LOOKED_AT
        parts.append(observe_rows(source, rows[first : first + len(chunk)], chunk, estimator))
        progress("looking closely", first + len(chunk), len(rows))
    return Observation.joined(parts)


def _performed(
    model: ParametricHead,
    levels: Levels,
    main: Source,
    person: Offsets,
    estimator: DenseEstimator,
    stage: Stage,
    progress: Progress,
    kept: Kept | None,
) -> PersonalHead:
    """Dynamic offsets and poses of every frame, a chunk at a time, so that a long clip takes no more memory."""
    every = np.arange(len(main.states))
    chunks = list(fitted_chunks(model, levels, main, every, person, estimator, stage, progress, kept))
    turns, shifts = (np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in ("turn", "shift"))
    away, static = float(person.dolly.detach().exp()), person.static().still()
    camera = replace(main.person.camera, focal_px=main.person.camera.focal_px * away)
    clip = clip_of(model, main.path.name, [replace(main.person, camera=camera)], len(every), frame=main.frames)
    track = main.states.replace(rotation=turns, translation=shifts, clip=clip)
    offsets = QuantisedOffsets.joined([chunk.offsets for chunk in chunks])
    return PersonalHead(track, static.control.numpy(), static.narrow.numpy(), offsets)
