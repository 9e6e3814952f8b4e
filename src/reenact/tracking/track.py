# SPDX-License-Identifier: Apache-2.0
"""From pixels to a `Motion`: landmarks frame by frame as a stream, then the fit of each shot."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp
from threadpoolctl import threadpool_limits
from torch import Tensor

from reenact.head.arkit import index
from reenact.head.model import ParametricHead
from reenact.head.motion import Motion
from reenact.media import CutDetector, InputError, VideoInfo, probe, read_frames
from reenact.perception import (
    ExpressionEvidence,
    ExpressionObserver,
    FaceLandmarks,
    VideoLandmarks,
    detect_faces,
    tongue_out,
)
from reenact.perception.tongue import without_glimpses

from .fit import clip_of, fit_frames, fit_person
from .flow import Shot
from .refine import joined_frames, refined

log = logging.getLogger(__name__)

_LOOKS_BEHIND = 4  # frames

LostPolicy = Literal["hold", "fail", "skip"]
CutsPolicy = Literal["each", "first", "fail"]
Refinement = Literal["flow", "none"]
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True)
class Sightings:
    """Landmarks of a clip."""

    points: list[NDArray[np.float32] | None]  # [478, 2] px, None where no face was found
    evidence: list[ExpressionEvidence | None]  # of one frame each, None where no face was found
    shot: list[int]  # shot of each frame
    tongue: list[float]  # see tongue_out, 0 where no face was found


def find_face(image: np.ndarray, face: int, name: Path | str, task: Path | None = None) -> FaceLandmarks:
    """Landmarks (px of the picture) and blendshape scores of the face numbered from the largest (0).

    Raises InputError, naming the file, if there is no such face.
    """
    faces = detect_faces(image, task)
    if not faces:
        raise InputError(f"{name}: no face was found; want a picture in which a human face is visible")
    if face >= len(faces):
        raise InputError(f"{name}: {len(faces)} face(s) were found; want --face from 0 to {len(faces) - 1}, got {face}")
    return faces[face]


def see_video(info: VideoInfo, face: int, cuts: CutsPolicy, task: Path | None, progress: Progress) -> Sightings:
    """Decode a video once, find its cuts, and follow one face through it.

    The expression of a frame is looked at while the next one's landmarks are found.
    """
    points: list[NDArray[np.float32] | None] = []
    looks: list[Future[ExpressionEvidence] | None] = []
    observe = ExpressionObserver()
    shots: list[int] = []
    tongue: list[float] = []
    shot = 0
    cutter = CutDetector()
    # One thread of its own: two would take turns with those of the landmark network.
    alone = ThreadPoolExecutor(max_workers=1, initializer=threadpool_limits, initargs=(1, "openmp"))
    with VideoLandmarks(face, task) as follow, alone as pool:
        for frame in read_frames(info):
            if cutter.update(frame.image):
                if cuts == "fail":
                    raise InputError(f"{info.path} has a cut at frame {frame.index}; want one shot, or --cuts each")
                if cuts == "first":
                    log.warning("%s: only its first shot, up to the cut at frame %d, is used", info.path, frame.index)
                    break
                shot += 1
                follow.restart()
            detected = follow(frame.image)
            points.append(None if detected is None else detected.points)
            looks.append(None if detected is None else pool.submit(observe, frame.image, detected))
            if len(looks) > _LOOKS_BEHIND and (look := looks[-_LOOKS_BEHIND]) is not None:
                look.result()  # no more pictures than these are held
            tongue.append(0.0 if detected is None else tongue_out(frame.image, detected.points))
            shots.append(shot)
            progress("tracking", len(points), info.frames)
    return Sightings(points, [None if look is None else look.result() for look in looks], shots, tongue)


def track_video(
    model: ParametricHead,
    path: Path,
    *,
    face: int = 0,
    lost: LostPolicy = "hold",
    cuts: CutsPolicy = "each",
    refine: Refinement = "flow",
    task: Path | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Motion:
    """Follow one face through a video.

    lost: frames without a face are interpolated ("hold"), dropped ("skip"), or refused ("fail").
    task: a FaceLandmarker .task file to use in place of the bundled landmark network.
    cuts: each shot is fitted as its own person and camera ("each"), only the first is used, or cuts are refused.
    refine: whether the detector's landmarks are corrected by optical flow and fitted once more, see flow.py.
    Raises InputError if the video cannot be read, shows no face, or a policy refuses it.
    """
    info = probe(path)
    sightings = see_video(info, face, cuts, task, progress)
    seen = np.asarray([p is not None for p in sightings.points])
    if not seen.any():
        raise InputError(f"{path}: no face was found in its {len(seen)} frames; want a video of a human face")
    if lost == "fail" and not seen.all():
        raise InputError(
            f"{path}: no face is seen in frame {int(np.argmin(seen))}; want one in every frame, or --lost hold"
        )
    shot = _merge_faceless(np.asarray(sightings.shot, np.int32), seen)
    shots = []
    for s in range(shot.max() + 1):
        frames = np.flatnonzero((shot == s) & seen)
        points = np.stack([p for p in (sightings.points[i] for i in frames) if p is not None])
        evidence = ExpressionEvidence.joined([e for e in (sightings.evidence[i] for i in frames) if e is not None])
        person = fit_person(model, points, info.width, info.height, evidence)
        done = int(np.flatnonzero(shot == s)[0])
        joined = joined_frames(frames, points)
        fitted = fit_frames(
            person, points, joined, lambda n, _, d=done: progress("fitting", d + n, len(shot)), evidence
        )
        shots.append(Shot(person, points, fitted, frames, evidence))
    if refine == "flow":
        shots = refined(info, shots, lambda done, total: progress("refining", done, total))
    parts = []
    for s, found in enumerate(shots):
        mine = shot == s
        part = _fill(found.fitted, seen[mine])
        expression = part.expression.clone()
        expression[:, index("tongueOut")] = torch.from_numpy(without_glimpses(np.asarray(sightings.tongue)[mine]))
        parts.append(part.replace(expression=expression))
    residual = np.full(len(seen), np.nan, np.float32)
    residual[seen] = np.concatenate([found.residual_px for found in shots])
    persons = [found.person for found in shots]
    clip = clip_of(model, path.name, persons, len(seen), shot=shot, seen=seen, residual_px=residual)
    motion = Motion.joined(parts).replace(fps=info.fps, clip=clip)
    return motion[seen] if lost == "skip" else motion


def _merge_faceless(shot: NDArray[np.int32], seen: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Shots without any face belong to the shot before (or the first after) and are renumbered without gaps."""
    with_face = np.unique(shot[seen])
    position = np.clip(np.searchsorted(with_face, shot, side="right") - 1, 0, None)
    return position.astype(np.int32)


def _fill(part: Motion, seen: NDArray[np.bool_]) -> Motion:
    """Spread fitted frames over all frames of a shot: between sightings interpolated, at the ends held."""
    at = np.flatnonzero(seen)
    all_frames = np.clip(np.arange(len(seen)), at[0], at[-1])

    def linear(x: Tensor) -> NDArray[np.float64]:
        flat = x.numpy().reshape(len(x), -1)
        out = np.stack([np.interp(all_frames, at, column) for column in flat.T], axis=1)
        return out.reshape(len(seen), *x.shape[1:])

    rotations = Rotation.from_matrix(part.rotation.numpy())
    turned = Slerp(at, rotations)(all_frames) if len(at) > 1 else Rotation.concatenate([rotations] * len(seen))
    return Motion(
        linear(part.expression),
        linear(part.gaze),
        turned.as_matrix(),
        linear(part.translation),
        None if part.dynamic_offset is None else linear(part.dynamic_offset),
    )
