# SPDX-License-Identifier: Apache-2.0
"""From pictures of one person to a PersonalHead: who it is from key frames, then what is done in every frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from reenact.dense.crops import BASE_FACE_M
from reenact.dense.maps import DenseEstimator, View
from reenact.dense.shipped import INPUT_PX
from reenact.heads.model import HeadModel
from reenact.heads.state import HeadState
from reenact.rendering.camera import Camera
from reenact.tracking import CoarseTrack, Person

from .detailed import Levels, detailed_levels
from .fit import Progress, fit_stages
from .observation import Observation, observe
from .offsets import Identity, Offsets
from .personal_head import PersonalHead, QuantisedOffsets
from .source import Source, read_source
from .stages import FRAMES, KEY_FRAMES, PERSON, Stage
from .texture import bake_texture

_LOOKED_AT = 8  # pictures that the estimator sees at a time


def fit_head(
    model: HeadModel,
    sources: Sequence[Path],
    estimator: DenseEstimator,
    *,
    face: int = 0,
    task: Path | None = None,
    progress: Progress = lambda stage, done, total: None,
    stages: Sequence[Stage] = PERSON,
    every_frame: Stage = FRAMES,
) -> PersonalHead:
    """Fit the head of a person seen in photos and clips; the first is the one whose performance is kept.

    face, task: of every source, see tracking. stages, every_frame: of the key frames, and of all frames.
    Raises InputError, naming the file, if one cannot be used.
    """
    read: list[Source] = []
    for path in sources:
        known = read[0].person if read else None
        read.append(read_source(model, path, face, known, task, progress))
    levels = detailed_levels(model.topology)
    main = read[0]
    seen = Observation.joined([_observed(s, s.key_rows(_share(read, s)), estimator, progress) for s in read])
    identity = Identity.of(model, main.person.identity)
    person = Offsets(levels, len(seen), main.face_size_m / BASE_FACE_M, identity)
    fit_stages(person, seen, model.topology, stages, progress)
    head = _performed(model, levels, main, person, estimator, every_frame, progress)
    rows = main.key_rows(_share(read, main))
    return replace(head, texture=bake_texture(head, model, levels, rows, main.views(rows, INPUT_PX), estimator))


def _share(read: list[Source], source: Source) -> int:
    """Key frames of a source: as many each, and none more than it has."""
    return max(1, min(len(source.states), KEY_FRAMES // len(read)))


def _observed(source: Source, rows: np.ndarray, estimator: DenseEstimator, progress: Progress) -> Observation:
    parts = []
    views = source.views(rows, INPUT_PX)
    while chunk := list(islice(views, _LOOKED_AT)):
        first = len(parts) * _LOOKED_AT
        parts.append(_observe_chunk(source, rows[first : first + len(chunk)], chunk, estimator))
        progress("looking closely", first + len(chunk), len(rows))
    return Observation.joined(parts)


def _observe_chunk(source: Source, rows: np.ndarray, views: list[View], estimator: DenseEstimator) -> Observation:
    states = [source.states[int(row)] for row in rows]
    return observe(source.person, states, source.states[0], views, estimator(views), [source.points[r] for r in rows])


def _performed(
    model: HeadModel,
    levels: Levels,
    main: Source,
    person: Offsets,
    estimator: DenseEstimator,
    stage: Stage,
    progress: Progress,
) -> PersonalHead:
    """Dynamic offsets and poses of every frame, a chunk at a time, so that a long clip takes no more memory."""
    static = person.static().still()
    away = float(person.dolly.detach().exp())
    control = levels[0]
    vertices = np.flatnonzero(control.face > 0.0).astype(np.int32)
    parts: list[QuantisedOffsets] = []
    states: list[HeadState] = []
    count = len(main.states)
    last: tuple[torch.Tensor, torch.Tensor, torch.Tensor] | None = None
    for rows, views in _chunks(main, stage.batch):
        seen = _observe_chunk(main, rows, views, estimator)
        offsets = Offsets(levels, len(rows), person.scale, person.person, person)
        if last is not None:
            offsets.start_from(last)
        fit_stages(offsets, seen, model.topology, [stage], lambda *said: None)
        with torch.no_grad():
            every = torch.arange(len(rows))
            moved = offsets.dynamic(every)
            last = offsets.last()
            poses = offsets.poses(seen)
        parts.append(QuantisedOffsets.of(moved.numpy(), vertices))
        for row, turn, shift in zip(rows, *poses, strict=True):
            old = main.states[int(row)]
            states.append(HeadState(old.expression, old.gaze, turn, shift))
        progress("fitting every frame", int(rows[-1]) + 1, count)
    camera = replace(main.person.camera, focal_px=main.person.camera.focal_px * away)
    track = _track(model, main, main.person, states, camera)
    return PersonalHead(track, static.control.numpy(), static.narrow.numpy(), QuantisedOffsets.joined(parts))


def _chunks(source: Source, size: int) -> Iterator[tuple[np.ndarray, list[View]]]:
    views = source.views(np.arange(len(source.states)), INPUT_PX)
    first = 0
    for view in views:
        chunk = [view, *islice(views, size - 1)]
        yield np.arange(first, first + len(chunk)), chunk
        first += len(chunk)


def _track(model: HeadModel, main: Source, person: Person, states: list[HeadState], camera: Camera) -> CoarseTrack:
    count = len(states)

    def stacked(name: str) -> np.ndarray:
        return np.stack([getattr(s, name) for s in states]).astype(np.float32)

    return CoarseTrack(
        fps=main.fps, width=main.width, height=main.height, head=model.name,
        expression=stacked("expression"), gaze=stacked("gaze"),
        R_cam_head=stacked("R_cam_head"), t_cam_head=stacked("t_cam_head"),
        residual_px=np.full(count, np.nan, np.float32), seen=np.ones(count, bool), shot=np.zeros(count, np.int32),
        frame=main.frames.astype(np.int32), identity=person.identity[None],
        focal_px=np.asarray([camera.focal_px], np.float32), face_size_m=np.asarray([main.face_size_m], np.float32),
        placement=person.placement[None].astype(np.float32), source=main.path.name,
    )  # fmt: skip
