# SPDX-License-Identifier: Apache-2.0
"""From pixels to a `Motion` and a coarse `Subject`: one way for videos and pictures, driving or source."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp
from torch import Tensor

from reenact.head.arkit import index
from reenact.head.model import ParametricHead
from reenact.head.motion import Motion
from reenact.head.subject import Subject
from reenact.media import InputError, VideoInfo, probe, read_image
from reenact.media.image import IMAGE_SUFFIXES
from reenact.media.progress import Progress, silent
from reenact.media.video import ArrayVideo

from .detect import CutsPolicy, Detections, detect_image, detect_video
from .fit import clip_of, fit_frames, fit_identity, in_pictures
from .flow import Shot
from .refine import joined_frames, refined

LostPolicy = Literal["hold", "fail", "skip"]
Refinement = Literal["flow", "none"]
Pictures = Path | ArrayVideo | NDArray[np.uint8]
"""A file that holds a video or a picture; a video in memory; or a picture's pixels [H, W, 3] RGB."""
STILL_FPS = Fraction(25)
"""Frames a second of a motion of one picture."""


@dataclass(frozen=True)
class TrackOptions:
    """How a face is followed."""

    face: int = 0
    """Which face, counted from the largest."""
    lost: LostPolicy = "hold"
    """Frames without a face are interpolated ("hold"), dropped ("skip"), or refused ("fail")."""
    cuts: CutsPolicy = "each"
    """Each shot is fitted as its own person and camera ("each"), only the first is used, or cuts are refused."""
    refine: Refinement = "flow"
    """Whether a video's landmarks are corrected by optical flow and fitted once more, see flow.py."""
    landmarker: Path | None = None
    """A FaceLandmarker .task file to use in place of the bundled landmark network."""
    device: str | None = None
    """Of the networks that look at pictures, but for MediaPipe's, in torch's words; None: the accelerator if there is
    one."""


@dataclass(frozen=True)
class Track:
    """A face followed through a video, or found in a picture."""

    motion: Motion
    """With a clip. Of a picture one frame."""
    shots: tuple[Shot, ...]
    """What was fitted: the frames of each shot in which the face was found."""

    @property
    def subject(self) -> Subject:
        """Who is seen in the first shot, as far as landmarks tell."""
        return self.shots[0].subject


def track(
    model: ParametricHead,
    source: Pictures,
    options: TrackOptions | None = None,
    *,
    subject: Subject | None = None,
    name: str = "the picture",
    progress: Progress = silent,
) -> Track:
    """Follow one face through a video, or find it in a picture.

    Args:
        model: the head that is fitted.
        source: a video or a picture.
        options: None for the defaults.
        subject: who is seen, if that is known: the head is taken as it is, and pose and expression alone are fitted.
        name: of pixels, for messages.
        progress: called with a stage, frames done and their number.

    Raises:
        InputError: the source cannot be read, shows no such face, or a policy refuses it.
    """
    options = options or TrackOptions()
    if isinstance(source, ArrayVideo) or (isinstance(source, Path) and source.suffix.lower() not in IMAGE_SUFFIXES):
        info = source if isinstance(source, ArrayVideo) else probe(source)
        found = detect_video(info, options.face, options.cuts, options.landmarker, options.device, progress)
        name, size = info.path.name, (info.width, info.height)
        return _fitted(model, found, info, name, *size, info.fps, options, subject, progress)
    image, name = (read_image(source), str(source)) if isinstance(source, Path) else (source, name)
    found = detect_image(image, options.face, name, options.landmarker, options.device)
    height, width = image.shape[:2]
    return _fitted(model, found, None, Path(name).name, width, height, STILL_FPS, options, subject, progress)


def _fitted(
    model: ParametricHead,
    detected: Detections,
    info: VideoInfo | None,
    name: str,
    width: int,
    height: int,
    fps: Fraction,
    options: TrackOptions,
    subject: Subject | None,
    progress: Progress,
) -> Track:
    """Fit what was detected, a shot at a time. info: of a video, None for a picture."""
    seen = detected.found
    if info is not None and not seen.any():
        raise InputError(f"{info.path}: no face was found in its {len(seen)} frames; want a video of a human face")
    if info is not None and options.lost == "fail" and not seen.all():
        raise InputError(
            f"{info.path}: no face is seen in frame {int(np.argmin(seen))}; want one in every frame, or --lost hold"
        )
    shot = _merge_faceless(detected.shot, seen)
    shots = []
    for s in range(shot.max() + 1):
        frames = np.flatnonzero((shot == s) & seen)
        points, evidence = detected.rows(frames)
        if subject is None:
            own = fit_identity(model, points, width, height, evidence)
        else:
            own = in_pictures(subject, points, width, height)
        before = int(np.flatnonzero(shot == s)[0])

        def fitting(done: int, _: int, before: int = before) -> None:
            progress("fitting", before + done, len(shot))

        fitted = fit_frames(own, points, joined_frames(frames, points), fitting, evidence)
        shots.append(Shot(own, points, fitted, frames, evidence))
    if info is not None and options.refine == "flow":
        shots = refined(info, shots, lambda done, total: progress("refining", done, total))
    parts = []
    for s, one in enumerate(shots):
        mine = shot == s
        part = _fill(one.fitted, seen[mine])
        expression = part.expression.clone()
        expression[:, index("tongueOut")] = torch.from_numpy(detected.tongue[mine])
        parts.append(part.replace(expression=expression))
    residual = np.full(len(seen), np.nan, np.float32)
    residual[seen] = np.concatenate([one.residual_px for one in shots])
    clip = clip_of([one.subject for one in shots], name, len(seen), shot=shot, seen=seen, residual_px=residual)
    motion = Motion.joined(parts).replace(fps=fps, clip=clip)
    return Track(motion[seen] if options.lost == "skip" else motion, tuple(shots))


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
        None if part.landmark_offset is None else linear(part.landmark_offset),
    )
