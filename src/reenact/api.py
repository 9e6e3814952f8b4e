# SPDX-License-Identifier: Apache-2.0
"""The front door: what `import reenact` offers. Paths, arrays or tensors go in, tensors come out."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.generator.choice import GeneratorName, GeneratorOptions
from reenact.head.model import ParametricHead
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.subject import Subject
from reenact.media import InputError, VideoWriter, read_frames, read_image, write_image
from reenact.media.files import written_beside
from reenact.media.image import IMAGE_SUFFIXES
from reenact.media.video import ArrayVideo
from reenact.perception.dense.maps import DenseEstimator
from reenact.pipeline import MOTION_SUFFIX, AnimateOptions, Pipeline, bundled_motion, is_video, read_driving
from reenact.rendering.head_renderer import render
from reenact.subject.fit_subject import SubjectDetail
from reenact.subject.fit_subject import fit_subject as fit
from reenact.subject.gltf import head_to_glb
from reenact.subject.store import SUFFIX as HEAD_SUFFIX
from reenact.subject.store import load_head, save_head
from reenact.tracking import (
    CutsPolicy,
    LostPolicy,
    Pictures,
    Progress,
    Refinement,
    TrackOptions,
    load_motion,
    save_motion,
    silent,
)
from reenact.transfer.arkit_csv import read_arkit_csv, write_arkit_csv
from reenact.transfer.dynamic_offsets import Detail
from reenact.transfer.motion_modes import Mode
from reenact.transfer.retarget import retarget

__all__ = ["Pipeline", "animate", "fit_subject", "load", "render", "retarget", "save", "track"]

Given = str | Path | NDArray[np.uint8] | Tensor
"""A file, or uint8 sRGB: a picture [H, W, 3] or a video [F, H, W, 3]."""


def track(
    source: Given,
    *,
    fps: Fraction | int = 25,
    face: int = 0,
    lost: LostPolicy = "hold",
    cuts: CutsPolicy = "each",
    refine: Refinement = "flow",
    landmarker: Path | None = None,
    device: str | None = None,
    model: ParametricHead | None = None,
    progress: Progress = silent,
) -> Motion:
    """Track a face: expression, gaze, head pose and dynamic offsets of every frame, and the camera.

    Args:
        source: a video or a picture: a file, or [F, H, W, 3] or [H, W, 3] uint8. A motion file, a .head file or the
            name of a bundled motion is read. A picture becomes two seconds that end in its expression.
        fps: frames a second of a video in memory.
        face: which face, counted from the largest.
        lost: frames without a face are interpolated ("hold"), dropped ("skip"), or refused ("fail").
        cuts: each shot is fitted as its own person and camera ("each"), only the first is used, or cuts are refused.
        refine: "flow" corrects the landmarks by optical flow and fits once more.
        landmarker: a FaceLandmarker .task file to use in place of the bundled landmark network.
        device: of the expression network, in torch's words; None: the accelerator if there is one.
        model: the head model; None for the open head.
        progress: called with a stage, frames done and their number.

    Raises:
        InputError: the source cannot be read, shows no such face, or a policy refuses it.
    """
    options = TrackOptions(face, lost, cuts, refine, landmarker, device)
    return read_driving(model or open_head(), _pictures(source, Fraction(fps)), options, progress)


def fit_subject(
    sources: Given | list[Given],
    *,
    detail: SubjectDetail = "coarse",
    known: Subject | None = None,
    face: int = 0,
    landmarker: Path | None = None,
    device: str | None = None,
    estimator: DenseEstimator | None = None,
    model: ParametricHead | None = None,
    progress: Progress = silent,
) -> Subject:
    """Fit the person seen in one or several pictures and videos.

    Args:
        sources: a picture or video of one person, see `track`, or a list of them. Each becomes a reference picture of
            the subject.
        detail: "coarse" fits coefficients of the head model, in a second. "personal" adds static and dynamic offsets
            and a texture from dense normals of all sources, in minutes.
        known: the very person: the head is taken as it is, and pose and expression alone are fitted.
        face: which face, counted from the largest.
        landmarker: see `track`.
        device: of the expression network and the shipped estimator, see `track`. The fit itself runs on the CPU.
        estimator: of dense normals; None for the shipped network.
        model: the head model; None for the open head.
        progress: called with a stage, steps done and their number.

    Raises:
        InputError: a source cannot be read or shows no such face.
    """
    several = sources if isinstance(sources, list) else [sources]
    pictures = [_pictures(source, Fraction(25)) for source in several]
    options = TrackOptions(face, landmarker=landmarker, device=device)
    return fit(
        model or open_head(), pictures, options, detail=detail, known=known, estimator=estimator, progress=progress
    )


def animate(
    source: Given | Subject,
    driving: Given | Motion,
    output: str | Path | None = None,
    *,
    mode: Mode = "neutral",
    strength: Mapping[str, float] | None = None,
    neutral: int | str | Path | None = None,
    detail: Detail = "none",
    subject_detail: SubjectDetail = "personal",
    generator: GeneratorName | GeneratorOptions = "warp",
    face: int = 0,
    driving_face: int = 0,
    size: int | None = None,
    crop: bool = False,
    device: str | None = None,
    pipeline: Pipeline | None = None,
    progress: Progress = silent,
) -> Tensor:
    """Animate a source: a video of its person with the expression, gaze and head pose of a driving video.

    Args:
        source: a picture or a video of a person, see `track`, or a fitted subject.
        driving: see `track`, or a motion.
        output: an .mp4 file to write; the sound of a driving file is carried over. None: nothing is written.
        mode: what motion is counted from; see docs/motion-modes.md.
        strength: of regions or actions: {"eyes": 1.2, "jawOpen": 0.5}.
        neutral: frame of the driving motion, or picture file of the driving person, that looks like the source and that
            motion is counted from; None: how the driving person rests.
        detail: "own" adds the dynamic offsets that are predicted of the subject's own face.
        subject_detail: how the source's head is fitted, see `fit_subject`.
        generator: its name, or its options.
        face: which face of the source, counted from the largest.
        driving_face: which face of the driving video.
        size: longer side of the frames, px; None: as large as the source.
        crop: show only the head, in a square.
        device: of all networks but MediaPipe's, in torch's words; None: the accelerator if there is one.
        pipeline: with components of your own.
        progress: called with a stage, frames done and their number.

    Returns:
        [F, H, W, 3] uint8 sRGB. For a long video that is to be written, `Pipeline` streams.

    Raises:
        InputError: input cannot be used; then nothing is written.
    """
    if not isinstance(generator, GeneratorOptions):
        generator = GeneratorOptions(generator, device=device)
    options = AnimateOptions(
        tracking=TrackOptions(driving_face, device=device),
        face=face,
        mode=mode,
        strength=strength or {},
        neutral=Path(neutral) if isinstance(neutral, str) else neutral,
        detail=detail,
        subject_detail=subject_detail,
        generator=generator,
        size=size,
        crop=crop,
    )
    pipeline = pipeline or Pipeline()
    shown = source if isinstance(source, Subject) else _pictures(source, Fraction(25))
    file = driving if isinstance(driving, Motion) else _pictures(driving, Fraction(25))
    motion = pipeline.track(file, options, progress)
    frames = torch.stack(list(pipeline(shown, motion, options, progress)))
    if output is not None:
        sound = file if isinstance(file, Path) and is_video(file) else None
        _write_video(frames, Path(output), motion.fps, sound)
    return frames


def load(path: str | Path, model: ParametricHead | None = None) -> Subject | Motion | Tensor:
    """Load a file by what it is.

    Args:
        path: a .head file (a `Subject`); a .motion.safetensors file, a .csv file of Live Link Face, or the name of a
            bundled motion (a `Motion`); a picture (uint8 [H, W, 3]) or a video (uint8 [F, H, W, 3]).
        model: the head model of a .head or .csv file; None for the open head.

    Raises:
        InputError: the file cannot be read as what its name says.
    """
    path, name = Path(path), str(path)
    if name.endswith(HEAD_SUFFIX):
        return load_head(path, model)
    if name.endswith(MOTION_SUFFIX):
        return load_motion(path)
    if name.endswith(".csv"):
        return read_arkit_csv(path, model or open_head())
    if not path.exists() and (bundled := bundled_motion(name)):
        return load_motion(bundled)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return torch.from_numpy(np.ascontiguousarray(read_image(path)))
    return torch.stack([torch.from_numpy(frame.image) for frame in read_frames(path)])


def save(value: Subject | Motion | Tensor | NDArray[np.uint8], path: str | Path, *, fps: Fraction | int = 25) -> None:
    """Save a value as what the file's name says; beside the target first, renamed when complete.

    Args:
        value: a subject (.head, or .glb for other tools); a motion (.motion.safetensors, or .csv for Live Link Face);
            uint8 frames [F, H, W, 3] (.mp4) or a picture [H, W, 3] (.png, .jpg).
        path: the file to write.
        fps: frames a second of a video.

    Raises:
        InputError: such a value is not saved under such a name.
    """
    path, name = Path(path), str(path)
    if isinstance(value, Subject) and name.endswith(HEAD_SUFFIX):
        save_head(value, path)
    elif isinstance(value, Subject) and name.endswith(".glb"):
        with written_beside(path) as partial:
            partial.write_bytes(head_to_glb(value, "fit"))
    elif isinstance(value, Motion) and name.endswith(MOTION_SUFFIX):
        save_motion(value, path)
    elif isinstance(value, Motion) and name.endswith(".csv"):
        write_arkit_csv(value, path)
    elif isinstance(value, Tensor | np.ndarray) and value.ndim == 4 and name.endswith(".mp4"):
        _write_video(torch.as_tensor(value), path, Fraction(fps), None)
    elif isinstance(value, Tensor | np.ndarray) and value.ndim == 3 and path.suffix.lower() in IMAGE_SUFFIXES:
        write_image(path, torch.as_tensor(value).numpy())
    else:
        raise InputError(
            f"a {type(value).__name__} is not saved as {path.name}; want a Subject as .head or .glb, a Motion as "
            f"{MOTION_SUFFIX} or .csv, frames as .mp4 or a picture as .png"
        )


def _pictures(source: Given, fps: Fraction) -> Pictures:
    """A file, a video in memory, or a picture's pixels."""
    if isinstance(source, str | Path):
        return Path(source)
    values = source.cpu().numpy() if isinstance(source, Tensor) else np.asarray(source)
    if values.ndim == 4:
        return ArrayVideo.of(values, fps, "the video in memory")
    if values.ndim != 3 or values.shape[-1] != 3 or values.dtype != np.uint8:
        raise InputError(
            f"the picture in memory has shape {values.shape} of {values.dtype}; want [H, W, 3] of uint8, sRGB"
        )
    return values


def _write_video(frames: Tensor, path: Path, fps: Fraction, sound: Path | None) -> None:
    height, width = frames.shape[1:3]
    with VideoWriter(path, fps, width, height, audio_from=sound) as writer:
        for frame in frames:
            writer.write(frame.numpy())
