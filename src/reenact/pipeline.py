# SPDX-License-Identifier: Apache-2.0
"""The main path: track -> fit_subject -> retarget -> render -> generate.  Read `Pipeline.__call__` first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from reenact.generator.choice import Generator, GeneratorOptions, make_generator
from reenact.head.model import ParametricHead
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.subject import Reference, Subject
from reenact.media import InputError, SquareCrop, VideoWriter, paste_back, probe, read_frames, side_by_side
from reenact.media.files import asset
from reenact.media.image import IMAGE_SUFFIXES, resized
from reenact.rendering import normals_to_picture
from reenact.rendering.head_renderer import HeadRenderer, MapStream
from reenact.subject.fit_subject import SubjectDetail, fit_subject
from reenact.subject.store import SUFFIX as HEAD_SUFFIX
from reenact.subject.store import load_head
from reenact.tracking import Pictures, Progress, TrackOptions, load_motion, same_shape, silent, track, tracked_subject
from reenact.transfer.dynamic_offsets import Detail, with_own_references
from reenact.transfer.motion_modes import Mode
from reenact.transfer.retarget import retarget
from reenact.transfer.timing import ease_in

Image = np.ndarray  # uint8 RGB [H, W, 3]
MOTION_SUFFIX = ".motion.safetensors"
WIDE_CROP, TIGHT_CROP = 1.75, 1.5  # sides of the worked-on square, in sides of the head's own box


@dataclass(frozen=True)
class AnimateOptions:
    """How a source is animated by a driving motion."""

    tracking: TrackOptions = field(default_factory=TrackOptions)
    """How the driving face is followed; its `face` is which one of the driving video."""
    face: int = 0
    """Which face of the source image, counted from the largest."""
    mode: Mode = "neutral"
    strength: Mapping[str, float] = field(default_factory=dict)
    neutral: int | Path | None = None
    """Frame of the driving video, or picture of the driving person, that looks like the source image; None: motion is
    counted from how the driving person rests."""
    same_person: bool = False
    """The driving person is the source's: the driving head and, for pictures of one shape, its camera are the source's
    too."""
    subject_detail: SubjectDetail = "personal"
    """How the source's head is fitted, see `fit_subject`; of no consequence where the head is known already."""
    head: Path | None = None
    """A .head file of the source's person (`reenact head`): in the image only pose and expression are fitted."""
    detail: Detail = "none"
    """See `retarget`."""
    generator: GeneratorOptions = field(default_factory=GeneratorOptions)
    size: int | None = None
    """Longer side of the output, px; None keeps the source image's own."""
    crop: bool = False
    """Show only the head, in a square, instead of the whole image."""
    compare: bool = False
    """Show source, driving picture and result side by side."""


@dataclass(frozen=True)
class Retargeted:
    """A subject, the driving motion, and that motion retargeted to the subject."""

    subject: Subject
    driving: Motion
    target: Motion


class Pipeline:
    """From a source and a driving video to frames. Every component can be exchanged for another of the same signature.

    Args:
        model: the head model; None for the open head.
        tracker: driving video or picture -> Motion; see `read_driving`.
        fitter: source pictures -> Subject; see `fit_subject`.
        retargeter: Motion, Subject -> the subject's own Motion; see `retarget`.
        renderer: subject, reference -> renderer of head maps; see `HeadRenderer`.
        generator: subject, reference, options -> generator of frames; see `make_generator`.
    """

    def __init__(
        self,
        model: ParametricHead | None = None,
        *,
        tracker: Callable[[ParametricHead, Pictures, TrackOptions, Progress], Motion] | None = None,
        fitter: Callable[..., Subject] = fit_subject,
        retargeter: Callable[..., Motion] = retarget,
        renderer: Callable[[Subject, Reference], HeadRenderer] = HeadRenderer,
        generator: Callable[[Subject, Reference, GeneratorOptions], Generator] = make_generator,
    ) -> None:
        self.model = open_head() if model is None else model
        self.tracker = read_driving if tracker is None else tracker
        self.fitter, self.retargeter = fitter, retargeter
        self.renderer, self.generator = renderer, generator

    def __call__(
        self,
        source: Pictures | Subject,
        driving: Pictures | Motion,
        options: AnimateOptions | None = None,
        progress: Progress = silent,
    ) -> Iterator[Tensor]:
        """Stream the frames [H, W, 3] uint8 of the source with the driving motion.

        source: a photo or a video of a person, or a fitted subject. driving: a video, an image, a motion file, a head
        file, the name of a bundled motion, or a motion.
        Raises InputError for input that cannot be used.
        """
        options = options or AnimateOptions()
        motion = self.track(driving, options, progress)
        subject = self.fit_subject(source, motion, options, progress)
        target = self.retarget(motion, subject, options)
        maps = self.render(subject, target, options)
        return self.generate(subject, target, maps, options)

    def prepare(
        self,
        source: Pictures | Subject,
        driving: Pictures | Motion,
        options: AnimateOptions,
        progress: Progress = silent,
    ) -> Retargeted:
        """Take the first three steps: what the subject's head does in each frame. Raises as `__call__`."""
        motion = self.track(driving, options, progress)
        subject = self.fit_subject(source, motion, options, progress)
        return Retargeted(subject, motion, self.retarget(motion, subject, options))

    def track(self, driving: Pictures | Motion, options: AnimateOptions, progress: Progress) -> Motion:
        """The driving motion."""
        if isinstance(driving, Motion):
            return driving
        looked = options.tracking
        if options.same_person:
            # The source is often one of the driving frames: the detector errs alike in both, unless one is corrected.
            looked = replace(looked, refine="none")
        return self.tracker(self.model, driving, looked, progress)

    def fit_subject(
        self, source: Pictures | Subject, motion: Motion, options: AnimateOptions, progress: Progress
    ) -> Subject:
        """The subject of the source, with the head that is known of them."""
        size = None if options.crop else options.size
        if isinstance(source, Subject):
            subject, own = source, source.require_reference()
            if size is not None:
                subject = source.replace(references=(_scaled(own, size), *source.references[1:]))
        else:
            known = None if options.head is None else load_head(options.head, self.model)
            if options.same_person:
                known = tracked_subject(self.model, motion)
            looked = replace(options.tracking, face=options.face)
            subject = self.fitter(
                self.model,
                [source],
                looked,
                detail=options.subject_detail,
                known=known,
                size=size,
                every_frame=False,
                progress=progress,
            )
        return with_own_references(subject, options.tracking.device) if options.detail == "own" else subject

    def retarget(self, motion: Motion, subject: Subject, options: AnimateOptions) -> Motion:
        """The subject's motion."""
        neutral = options.neutral
        if isinstance(neutral, Path):
            # Of the driving person, whom no other face of their picture is taken for.
            looked = TrackOptions(landmarker=options.tracking.landmarker, device=options.tracking.device)
            neutral = track(self.model, neutral, looked, subject=tracked_subject(self.model, motion)).motion
        camera = subject.require_reference().camera
        clip = motion.require_clip()
        same = options.same_person and same_shape(camera.width, camera.height, clip.width, clip.height)
        return self.retargeter(
            motion,
            subject,
            options.mode,
            options.strength,
            neutral,
            same_camera=same,
            detail=options.detail,
            device=options.tracking.device,
        )

    def render(self, subject: Subject, target: Motion, options: AnimateOptions) -> MapStream:
        """Maps of each frame, as any camera at the reference's place sees them: rendered when they are asked for."""
        square = cropped(subject.require_reference(), head_crop(subject, options))
        return partial(self.renderer(subject, square).stream, target)

    def generate(self, subject: Subject, target: Motion, maps: MapStream, options: AnimateOptions) -> Iterator[Tensor]:
        """The frames, one by one: nothing but the current one is held."""
        reference, crop = subject.require_reference(), head_crop(subject, options)
        generator = self.generator(subject, cropped(reference, crop), options.generator)
        for frame in generator.frames(target, maps):
            if options.crop:
                yield frame
            else:
                yield torch.from_numpy(paste_back(reference.image.numpy(), frame.numpy(), crop))


def animate(
    source: Pictures | Subject,
    driving: Path,
    output: Path,
    options: AnimateOptions | None = None,
    progress: Progress = silent,
    pipeline: Pipeline | None = None,
) -> Retargeted:
    """Write a video of the source's person with a driving motion.

    source, driving: see `Pipeline.__call__`.
    Raises InputError for input that cannot be used; nothing is left behind then, nor on interruption.
    """
    options, pipeline = options or AnimateOptions(), pipeline or Pipeline()
    retargeted = pipeline.prepare(source, driving, options, progress)
    write_video(pipeline, retargeted, driving, output, options, progress)
    return retargeted


def write_video(
    pipeline: Pipeline,
    retargeted: Retargeted,
    driving: Path,
    output: Path,
    options: AnimateOptions,
    progress: Progress = silent,
) -> None:
    """Write the video of what `Pipeline.prepare` found, with the driving file's sound. Raises as `animate`."""
    subject, target = retargeted.subject, retargeted.target
    maps = pipeline.render(subject, target, options)
    frames = (frame.numpy() for frame in pipeline.generate(subject, target, maps, options))
    if options.compare:
        frames = compared(retargeted, driving, options, frames)
    first = next(frames)
    sound = driving if is_video(driving) and options.tracking.lost != "skip" else None
    with VideoWriter(output, retargeted.driving.fps, first.shape[1], first.shape[0], audio_from=sound) as writer:
        for done, frame in enumerate(chain([first], frames), start=1):
            writer.write(frame)
            progress("generating", done, len(target))


def compared(
    retargeted: Retargeted, driving: Path, options: AnimateOptions, frames: Iterator[Image]
) -> Iterator[Image]:
    """Source, driving picture and result side by side. A driving file without pictures is shown as the driven head."""
    reference = retargeted.subject.require_reference()
    crop = head_crop(retargeted.subject, options)
    photo = crop.extract(reference.image.numpy()) if options.crop else reference.image.numpy()
    pictures = _driving_frames(driving, retargeted.driving)
    if pictures is None:
        renderer = HeadRenderer(retargeted.subject, cropped(reference, crop))
        pictures = (normals_to_picture(maps.normals[0]) for maps in renderer.stream(retargeted.target))
    for picture, frame in zip(pictures, frames, strict=False):
        yield side_by_side([photo, picture, frame], frame.shape[0])


def read_driving(
    model: ParametricHead, driving: Pictures, options: TrackOptions | None = None, progress: Progress = silent
) -> Motion:
    """The motion of a video, an image, a motion file, a head file, or a bundled motion.

    An image becomes two seconds that end in its expression. A head file gives its motion without dynamic offsets.
    Raises InputError for input that cannot be used.
    """
    if isinstance(driving, Path):
        if driving.name.endswith(MOTION_SUFFIX):
            return load_motion(driving)
        if driving.suffix == HEAD_SUFFIX:
            return _driving_motion(load_head(driving, model), driving)
        if not driving.exists() and (bundled := bundled_motion(str(driving))):
            return load_motion(bundled)
    motion = track(model, driving, options, progress=progress).motion
    still = isinstance(driving, np.ndarray) or (isinstance(driving, Path) and driving.suffix.lower() in IMAGE_SUFFIXES)
    return ease_in(motion) if still else motion


def _driving_motion(subject: Subject, path: Path) -> Motion:
    """The motion of a subject that a .head file holds. Raises InputError if there is none."""
    if subject.motion is None:
        raise InputError(f"{path} holds no motion; want the .head file of a video, or another driving file")
    return subject.motion.replace(dynamic_offset=None)


def head_crop(subject: Subject, options: AnimateOptions) -> SquareCrop:
    """The square of whole pixels that is worked on, around the head in the reference.

    If the square is the output, it is tight and, where the image is large enough, inside the image; if it is to be
    put back it is wide, so that the motion can fade out, and may reach beyond the image's edges.
    """
    reference = subject.require_reference()
    motion, camera = reference.motion, reference.camera
    posed = subject.head.neutral @ motion.rotation[0].T + motion.translation[0]
    px = camera.project(posed)[:, :2].numpy()
    low, high = px.min(axis=0), px.max(axis=0)
    head = float((high - low).max())
    size = np.asarray([camera.width, camera.height])
    side = round(WIDE_CROP * head)
    if options.crop:
        side = max(round(head), min(round(TIGHT_CROP * head), int(size.min())))
    corner = np.round((low + high) / 2 - side / 2).astype(int)
    if options.crop:
        corner = np.where(side <= size, np.clip(corner, 0, np.maximum(size - side, 0)), corner)
    output = options.size if options.crop and options.size else side
    return SquareCrop(int(corner[0]), int(corner[1]), side, output)


def cropped(reference: Reference, crop: SquareCrop) -> Reference:
    """A square of a reference as a reference of its own."""
    image = torch.from_numpy(np.ascontiguousarray(crop.extract(reference.image.numpy())))
    camera = reference.camera.cropped(crop.x0, crop.y0, crop.size, crop.output_px)
    return Reference(image, reference.motion, camera)


def _scaled(reference: Reference, longer: int) -> Reference:
    """Resize a reference to a longer side of `longer` px."""
    image = torch.from_numpy(resized(reference.image.numpy(), longer))
    camera = reference.camera.scaled(longer / max(reference.camera.width, reference.camera.height))
    return Reference(image, reference.motion, camera)


def bundled_motion(name: str) -> Path | None:
    """The motion file of a bundled motion, None if there is none of that name."""
    path = asset(f"motions/{name}{MOTION_SUFFIX}")
    return path if path.is_file() else None


def is_video(driving: Path) -> bool:
    """Whether the driving file has pictures and perhaps sound of its own."""
    still = driving.suffix.lower() in (*IMAGE_SUFFIXES, HEAD_SUFFIX)
    return driving.is_file() and not still and not driving.name.endswith(MOTION_SUFFIX)


def _driving_frames(driving: Path, motion: Motion) -> Iterator[Image] | None:
    """The driving file's own pictures, as many as the motion has frames; None if it has none."""
    if not is_video(driving):
        return None
    wanted = set(motion.require_clip().frame.tolist())
    return (frame.image for frame in read_frames(probe(driving)) if frame.index in wanted)
