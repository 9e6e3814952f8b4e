# SPDX-License-Identifier: Apache-2.0
"""Fit a `Subject` with offsets to pictures of one person: first from key frames, then in every frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from reenact.head.model import ParametricHead
from reenact.head.subject import Subject
from reenact.perception.dense.maps import BASE_FACE_M, DenseEstimator, View
from reenact.perception.dense.shipped import INPUT_PX
from reenact.tracking import Pictures, Progress, TrackOptions, clip_of, silent

from .checkpoint import FitCheckpoint
from .fit import FRAMES, KEY_FRAMES, PERSON, PHOTO, Stage, fit_stages
from .observation import Observation, observe
from .offsets import Identity, Offsets
from .source import Source, read_source
from .texture import bake_texture

_PERSON, _KNOWN = "person", ("identity", "static_coarse", "static_fine", "log_distance")
_LOOKED_AT = 8  # pictures that the estimator sees at a time


def fit_head(
    model: ParametricHead,
    sources: Sequence[Pictures],
    estimator: DenseEstimator,
    options: TrackOptions | None = None,
    *,
    progress: Progress = silent,
    size: int | None = None,
    stages: Sequence[Stage] | None = None,
    every_frame: Stage | None = FRAMES,
    checkpoint: FitCheckpoint | None = None,
    textured: bool = True,
) -> Subject:
    """Fit the head of a person seen in photos and clips; the motion in the first is kept.

    options: of tracking every source. size: longer side, px, to which photos are resized first; None: as they are.
    stages: of the key frames; None: `PERSON`, or `PHOTO` of a single picture.
    every_frame: of all frames; None: there is no motion, only who it is, and there can be no texture.
    checkpoint: where an interrupted fit goes on; the clip is tracked again, but what was fitted before is not.
    textured: bake a texture.
    Raises InputError, naming the file, if one cannot be used.
    """
    options = options or TrackOptions()
    main = read_source(model, sources[0], options, progress, size=size)
    others = [read_source(model, source, options, progress, main.subject, size) for source in sources[1:]]
    share = max(1, KEY_FRAMES // len(sources))
    person = _restored(main, checkpoint)
    if person is None:
        observation = Observation.joined([observed(s, s.key_rows(share), estimator, progress) for s in (main, *others)])
        person = Offsets(len(observation), _scale(main), Identity.of(main.subject))
        usual = PHOTO if len(observation) == 1 else PERSON
        fit_stages(person, observation, usual if stages is None else stages, progress)
        person.adapt()
        if checkpoint is not None:
            checkpoint.save(_PERSON, {name: getattr(person, name) for name in _KNOWN})
    subject = _subject_of(main, person)
    if every_frame is not None:
        subject = _performed(subject, main, person, estimator, every_frame, progress, checkpoint)
    subject = subject.replace(
        references=tuple(source.reference(subject) for source in (main, *others)),
        provenance={"sources": [source.path.name for source in (main, *others)], "dense": estimator.name},
    )
    if not textured or every_frame is None:
        return subject
    rows = main.key_rows(share)
    return subject.replace(texture=bake_texture(subject, rows, main.views(rows, INPUT_PX), estimator))


def _scale(main: Source) -> float:
    return main.subject.face_size_m / BASE_FACE_M


def _restored(main: Source, checkpoint: FitCheckpoint | None) -> Offsets | None:
    """The person of an interrupted fit; None: not that far yet."""
    found = None if checkpoint is None else checkpoint.load(_PERSON)
    if found is None:
        return None
    person = Offsets(1, _scale(main), Identity.of(main.subject))
    person.load_state_dict(found, strict=False)
    person.adapt()
    return person


def observed(source: Source, rows: np.ndarray, estimator: DenseEstimator, progress: Progress) -> Observation:
    """What is known of some rows of a source, rising."""
    parts = []
    views = source.views(rows, INPUT_PX)
    while chunk := list(islice(views, _LOOKED_AT)):
        first = len(parts) * _LOOKED_AT
        parts.append(_observe_rows(source, rows[first : first + len(chunk)], chunk, estimator, outlined=True))
        progress("looking closely", first + len(chunk), len(rows))
    return Observation.joined(parts)


def _subject_of(main: Source, person: Offsets) -> Subject:
    """Who it is, without a motion."""
    camera = main.subject.camera.zoomed(float(person.log_distance.detach().exp()))
    return person.subject.replace(camera=camera, fine_offset=person.static().still().fine, motion=None)


def _performed(
    subject: Subject,
    main: Source,
    person: Offsets,
    estimator: DenseEstimator,
    stage: Stage,
    progress: Progress,
    checkpoint: FitCheckpoint | None,
) -> Subject:
    """Fit dynamic offsets and poses of every frame, a chunk at a time, so that a long clip takes no more memory."""
    every = np.arange(len(main.motion))
    chunks = list(_fitted_chunks(main, every, person, estimator, stage, progress, checkpoint))
    motion = main.motion.replace(
        rotation=torch.cat([chunk["rotation"] for chunk in chunks]),
        translation=torch.cat([chunk["translation"] for chunk in chunks]),
        dynamic_offset=torch.cat([chunk["offsets"] for chunk in chunks]),
        clip=clip_of(
            [main.subject.replace(camera=subject.camera)], main.path.name, len(every), frame=main.track.shots[0].frames
        ),
    )
    return subject.replace(motion=motion)


def _fitted_chunks(
    source: Source,
    rows: np.ndarray,
    person: Offsets,
    estimator: DenseEstimator,
    stage: Stage,
    progress: Progress,
    checkpoint: FitCheckpoint | None = None,
) -> Iterator[dict[str, Tensor]]:
    """Fit `stage.batch` of the rows (rising) at a time, each chunk beginning as the one before ended.

    Args:
        source: of the rows.
        rows: [F] frames of the source's motion.
        person: whose static part stays.
        estimator: of normals, depth and classes.
        stage: of the fit.
        progress: called with frames done.
        checkpoint: chunks fitted before, which are not fitted again.

    Yields:
        For n frames `offsets` [n, V, 3] metres, `rotation` [n, 3, 3] and `translation` [n, 3] metres, head to camera,
        and `last_0` to `last_2`, see `Offsets.last`.
    """
    number, first = 0, 0
    last: tuple[Tensor, Tensor, Tensor] | None = None
    while checkpoint is not None and (chunk := checkpoint.load(_name(number))) is not None:
        yield chunk
        number, first = number + 1, first + len(chunk["rotation"])
        last = chunk["last_0"], chunk["last_1"], chunk["last_2"]
    views = source.views(rows[first:], INPUT_PX)
    while images := list(islice(views, stage.batch)):
        now = rows[first : first + len(images)]
        observation = _observe_rows(source, now, images, estimator, outlined=stage.weights.outline > 0)
        offsets = Offsets(len(images), person.scale, person.person, person)
        if last is not None:
            offsets.start_from(last)
        fit_stages(offsets, observation, [stage], silent)
        first += len(images)
        last = offsets.last()
        with torch.no_grad():
            rotation, translation = offsets.poses(observation)
            chunk = {"offsets": offsets.dynamic(torch.arange(len(images))), "rotation": rotation}
            chunk |= {"translation": translation} | {f"last_{i}": x for i, x in enumerate(last)}
        if checkpoint is not None:
            checkpoint.save(_name(number), chunk)
        number += 1
        progress("fitting every frame", first, len(rows))
        yield chunk


def _observe_rows(
    source: Source, rows: np.ndarray, views: Sequence[View], estimator: DenseEstimator, *, outlined: bool
) -> Observation:
    """Observe some rows, whose pictures are `views`."""
    marks = [source.points[row] for row in rows]
    motion, maps = source.motion[rows], estimator(views)
    return observe(source.subject, motion, source.motion[0], views, maps, marks, outlined=outlined)


def _name(number: int) -> str:
    return f"frames-{number:05}"
