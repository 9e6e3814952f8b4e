# SPDX-License-Identifier: Apache-2.0
"""From pixels to a `CoarseTrack`: landmarks frame by frame as a stream, then the fit of each shot."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp
from threadpoolctl import threadpool_limits

from reenact.head.arkit import index
from reenact.head.model import HeadModel
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

from .coarse_track import CoarseTrack
from .face_model import landmark_model
from .fit import Performance, Person, fit_frames, fit_person
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
    model: HeadModel,
    path: Path,
    *,
    face: int = 0,
    lost: LostPolicy = "hold",
    cuts: CutsPolicy = "each",
    refine: Refinement = "flow",
    task: Path | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> CoarseTrack:
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
    performances = [s.fitted for s in shots]
    if refine == "flow":
        performances = refined(info, shots, lambda done, total: progress("refining", done, total))
    parts = []
    for s, fitted in enumerate(performances):
        mine = shot == s
        part = _fill(fitted, seen[mine])
        part.expression[:, index("tongueOut")] = without_glimpses(np.asarray(sightings.tongue)[mine])
        parts.append(part)
    track = _join(model, info, path, [s.person for s in shots], parts, seen, shot)
    return track.select(seen) if lost == "skip" else track


def _merge_faceless(shot: NDArray[np.int32], seen: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Shots without any face belong to the shot before (or the first after) and are renumbered without gaps."""
    with_face = np.unique(shot[seen])
    position = np.clip(np.searchsorted(with_face, shot, side="right") - 1, 0, None)
    return position.astype(np.int32)


def _fill(part: Performance, seen: NDArray[np.bool_]) -> Performance:
    """Spread fitted frames over all frames of a shot: between sightings interpolated, at the ends held."""
    at = np.flatnonzero(seen)
    all_frames = np.clip(np.arange(len(seen)), at[0], at[-1])

    def linear(x: NDArray[np.float32]) -> NDArray[np.float32]:
        flat = x.reshape(len(x), -1)
        out = np.stack([np.interp(all_frames, at, column) for column in flat.T], axis=1)
        return out.reshape(len(seen), *x.shape[1:]).astype(np.float32)

    rotations = Rotation.from_matrix(part.R_cam_head)
    turned = Slerp(at, rotations)(all_frames) if len(at) > 1 else Rotation.concatenate([rotations] * len(seen))
    residual = np.full(len(seen), np.nan, np.float32)
    residual[at] = part.residual_px
    return Performance(
        linear(part.expression),
        linear(part.gaze),
        turned.as_matrix().astype(np.float32),
        linear(part.t_cam_head),
        residual,
        None if part.dynamic is None else linear(part.dynamic),
    )


def _join(
    model: HeadModel,
    info: VideoInfo,
    path: Path,
    persons: list[Person],
    parts: list[Performance],
    seen: NDArray[np.bool_],
    shot: NDArray[np.int32],
) -> CoarseTrack:
    def both(name: str) -> NDArray[np.float32]:
        return np.concatenate([getattr(p, name) for p in parts])

    some = next((p.dynamic for p in parts if p.dynamic is not None), None)
    dynamic = None
    if some is not None:  # a shot of one frame has nothing to be compared with
        none = np.zeros(some.shape[1:], np.float32)
        dynamic = np.concatenate(
            [np.repeat(none[None], len(p.expression), axis=0) if p.dynamic is None else p.dynamic for p in parts]
        )
    return CoarseTrack(
        fps=info.fps,
        width=info.width,
        height=info.height,
        head=model.name,
        expression=both("expression"),
        gaze=both("gaze"),
        R_cam_head=both("R_cam_head"),
        t_cam_head=both("t_cam_head"),
        residual_px=both("residual_px"),
        seen=seen,
        shot=shot,
        frame=np.arange(len(shot), dtype=np.int32),
        identity=np.stack([p.identity for p in persons]),
        focal_px=np.asarray([p.camera.focal_px for p in persons], np.float32),
        face_size_m=np.asarray([landmark_model(p.rig).size for p in persons], np.float32),
        placement=np.stack([p.placement for p in persons]),
        source=path.name,
        dynamic=dynamic,
    )
