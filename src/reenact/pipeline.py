# SPDX-License-Identifier: Apache-2.0
"""The main path: photo, performance -> tracking -> transfer -> generator -> video.  Read it from the top."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from reenact.generator.choice import Generator, GeneratorOptions, make
from reenact.generator.warp.generator import WarpGenerator
from reenact.head.model import ParametricHead
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.media import SquareCrop, VideoWriter, paste_back, probe, read_frames, read_image, side_by_side
from reenact.media.files import asset
from reenact.media.image import IMAGE_SUFFIXES
from reenact.perception import ExpressionObserver
from reenact.rendering import normals_to_picture
from reenact.subject.store import SUFFIX as HEAD_SUFFIX
from reenact.subject.store import load_head
from reenact.tracking import (
    CutsPolicy,
    LostPolicy,
    Person,
    Refinement,
    find_face,
    fit_frames,
    fit_person,
    load_motion,
    same_shape,
    save_motion,
    seen_again,
    track_image,
    track_video,
    tracked_person,
)
from reenact.tracking.face_model import landmark_model
from reenact.transfer.motion_modes import Mode
from reenact.transfer.own_rig import OwnRig
from reenact.transfer.retarget import Receiver, retarget

Image = np.ndarray  # uint8 RGB [H, W, 3]
Progress = Callable[[str, int, int | None], None]
Detail = Literal["none", "own"]
MOTION_SUFFIX = ".motion.safetensors"
WIDE_CROP, TIGHT_CROP = 1.75, 1.5  # sides of the worked-on square, in sides of the head's own box
WORKING_PX = 512  # the head's geometry is computed at this size and its result carried to the photo's own


def silent(stage: str, done: int, total: int | None) -> None:
    """Progress for callers that want none."""


@dataclass(frozen=True)
class TrackOptions:
    """How a performance is followed."""

    face: int = 0
    """Which face, counted from the largest."""
    lost: LostPolicy = "hold"
    cuts: CutsPolicy = "each"
    refine: Refinement = "flow"
    landmarker: Path | None = None
    """A FaceLandmarker .task file to use in place of the bundled landmark network."""


@dataclass(frozen=True)
class AnimateOptions:
    """How a photo performs."""

    mode: Mode = "neutral"
    strength: Mapping[str, float] = field(default_factory=dict)
    face: int = 0
    """Which face of the photo, counted from the largest."""
    neutral: int | Path | None = None
    """Frame of the performance, or picture of the performer, that looks like the photo; None: motion is counted from
    how the performer rests."""
    same_person: bool = False
    """The performer is the photographed person: the performance's head and, for pictures of one shape, its camera
    are the photo's too."""
    head: Path | None = None
    """A .head file of the photographed person (`reenact head`): in the photo only pose and expression are fitted."""
    detail: Detail | None = None
    """What a face does beyond its 52 actions added up: nothing, or what the transfer network says of the photographed
    person's own. None: their own for generators that have learnt to show it, nothing for the warp."""
    generator: GeneratorOptions = field(default_factory=GeneratorOptions)
    size: int | None = None
    """Longer side of the output, px; None keeps the photo's own."""
    crop: bool = False
    compare: bool = False
    lost: LostPolicy = "hold"
    cuts: CutsPolicy = "each"
    refine: Refinement = "flow"
    landmarker: Path | None = None
    """A FaceLandmarker .task file to use in place of the bundled landmark network."""


@dataclass(frozen=True)
class AnimateResult:
    """What was written."""

    path: Path
    frames: int
    fps: Fraction


@dataclass(frozen=True)
class Portrait:
    """A photo whose person has been found and fitted."""

    image: Image
    person: Person
    state: Motion  # of one frame
    crop: SquareCrop

    @property
    def receiver(self) -> Receiver:
        return Receiver(self.person.rig, self.state, landmark_model(self.person.rig).size)


@dataclass(frozen=True)
class Performed:
    """A portrait and what it is to do."""

    portrait: Portrait  # its rig moves with the detail asked for
    track: Motion
    states: Motion


def animate(
    photo: Path, performance: Path, output: Path, options: AnimateOptions, progress: Progress = silent
) -> AnimateResult:
    """Write a video of the photographed person giving a performance.

    performance: a video, an image, a motion file, a head file, or the name of a bundled performance.
    Raises InputError for input that cannot be used; nothing is left behind then, nor on interruption.
    """
    performed = perform(photo, performance, options, progress)
    return paint(performed, performance, output, options, progress)


def perform(photo: Path, performance: Path, options: AnimateOptions, progress: Progress = silent) -> Performed:
    """Tracking and transfer: what the head of the photographed person does in each frame. Raises as `animate`."""
    model = open_head()
    known = None if options.head is None else load_head(options.head)[0].person(model)
    # The photo is often one of the performance's own frames: the detector errs alike in both, unless one is corrected.
    looked = replace(options, refine="none") if options.same_person else options
    track = read_performance(model, performance, looked, progress)
    if options.same_person:
        known = tracked_person(model, track)
    portrait = read_portrait(model, photo, options, known)
    neutral = options.neutral
    if isinstance(neutral, Path):
        neutral = resting_in(model, neutral, track, options)
    camera, clip = portrait.person.camera, track.require_clip()
    same_camera = options.same_person and same_shape(camera.width, camera.height, clip.width, clip.height)
    states = retarget(model, track, portrait.receiver, options.mode, options.strength, neutral, same_camera=same_camera)
    detail = options.detail or ("none" if options.generator.name == "warp" else "own")
    return Performed(detailed(portrait, detail), track, states)


def detailed(portrait: Portrait, detail: Detail) -> Portrait:
    """Make the portrait's rig move with detail."""
    if detail == "none":
        return portrait
    return replace(portrait, person=replace(portrait.person, rig=OwnRig.of(portrait.person.rig)))


def paint(
    performed: Performed, performance: Path, output: Path, options: AnimateOptions, progress: Progress = silent
) -> AnimateResult:
    """Rendering and generator: the video of what `perform` found. Raises as `animate`."""
    portrait, track, states = performed.portrait, performed.track, performed.states
    drivers = performance_frames(performance, track) if options.compare else None
    frames = painted(portrait, make_generator(portrait, options.generator), states, options, drivers)
    first = next(frames)
    sound = performance if is_video(performance) and options.lost != "skip" else None
    with VideoWriter(output, track.fps, first.shape[1], first.shape[0], audio_from=sound) as writer:
        for done, frame in enumerate(chain([first], frames), start=1):
            writer.write(frame)
            progress("painting", done, len(states))
    return AnimateResult(output, len(states), track.fps)


def track(
    video: Path, output: Path, options: TrackOptions, progress: Progress = silent, model: ParametricHead | None = None
) -> Motion:
    """Write the performance of a video or an image as a motion file. model: None for the open head."""
    result = read_performance(model or open_head(), video, options, progress)
    save_motion(result, output)
    return result


def read_portrait(model: ParametricHead, photo: Path, options: AnimateOptions, known: Person | None = None) -> Portrait:
    """Find and fit the person of a photo, which is first resized to the wanted size if all of it is wanted.

    known: this very person, whose head is then taken as it is.
    """
    image = read_image(photo)
    if options.size is not None and not options.crop:
        factor = options.size / max(image.shape[:2])
        shape = (max(2, round(image.shape[1] * factor)), max(2, round(image.shape[0] * factor)))
        image = np.asarray(cv2.resize(image, shape, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC))
    detected = find_face(image, options.face, photo, options.landmarker)
    points, evidence = detected.points[None], ExpressionObserver()(image, detected)
    height, width = image.shape[:2]
    if known is None:
        person = fit_person(model, points, width, height, evidence)
    else:
        person = seen_again(known, points, width, height)
    state = fit_frames(person, points, np.zeros(0, bool), evidence=evidence)
    return Portrait(image, person, state, head_crop(image, person, state, options))


def resting_in(model: ParametricHead, picture: Path, track: Motion, options: AnimateOptions) -> Motion:
    """Fit a track's person in another picture of them. Raises InputError if it shows no face."""
    image = read_image(picture)
    height, width = image.shape[:2]
    detected = find_face(image, 0, picture, options.landmarker)
    points, evidence = detected.points[None], ExpressionObserver()(image, detected)
    person = seen_again(tracked_person(model, track), points, width, height)
    return fit_frames(person, points, np.zeros(0, bool), evidence=evidence)


def head_crop(image: Image, person: Person, state: Motion, options: AnimateOptions) -> SquareCrop:
    """The square of whole pixels that is worked on, around the fitted head.

    If the square is the output, it is tight and, where the photo is large enough, inside the photo; if it is to be
    put back it is wide, so that the motion can fade out, and may reach beyond the photo's edges.
    """
    posed = person.rig.neutral @ state.rotation[0].numpy().T + state.translation[0].numpy()
    px = person.camera.focal_px * posed[:, :2] / posed[:, 2:] + (person.camera.cx, person.camera.cy)
    low, high = px.min(axis=0), px.max(axis=0)
    head = float((high - low).max())
    size = np.asarray([image.shape[1], image.shape[0]])
    side = round(WIDE_CROP * head)
    if options.crop:
        side = max(round(head), min(round(TIGHT_CROP * head), int(size.min())))
    corner = np.round((low + high) / 2 - side / 2).astype(int)
    if options.crop:
        corner = np.where(side <= size, np.clip(corner, 0, np.maximum(size - side, 0)), corner)
    output = options.size if options.crop and options.size else side
    return SquareCrop(int(corner[0]), int(corner[1]), side, output)


def read_performance(
    model: ParametricHead, performance: Path, options: TrackOptions | AnimateOptions, progress: Progress
) -> Motion:
    """The track of a video, an image, a motion file, a head file, or a bundled performance."""
    if performance.name.endswith(MOTION_SUFFIX):
        return load_motion(performance)
    if performance.suffix == HEAD_SUFFIX:
        return load_head(performance)[0].track
    if not performance.exists() and (bundled := bundled_performance(str(performance))):
        return load_motion(bundled)
    face = options.face if isinstance(options, TrackOptions) else 0
    if performance.suffix.lower() in IMAGE_SUFFIXES:
        return track_image(model, performance, face=face, task=options.landmarker)
    return track_video(
        model,
        performance,
        face=face,
        lost=options.lost,
        cuts=options.cuts,
        refine=options.refine,
        task=options.landmarker,
        progress=progress,
    )


def bundled_performance(name: str) -> Path | None:
    """The motion file of a bundled performance, None if there is none of that name."""
    path = asset(f"performances/{name}{MOTION_SUFFIX}")
    return path if path.is_file() else None


def is_video(performance: Path) -> bool:
    """Whether the performance has pictures and perhaps sound of its own."""
    still = performance.suffix.lower() in (*IMAGE_SUFFIXES, HEAD_SUFFIX)
    return performance.is_file() and not still and not performance.name.endswith(MOTION_SUFFIX)


def make_generator(portrait: Portrait, options: GeneratorOptions) -> Generator:
    """The generator of a portrait, working on its crop. Raises InputError for weights that cannot be used."""
    crop = portrait.crop
    camera = portrait.person.camera.cropped(crop.x0, crop.y0, crop.size, crop.output_px)
    pixels = crop.extract(portrait.image)
    return make(pixels, portrait.person.rig, portrait.state, camera, options, size=WORKING_PX)


def make_warp(portrait: Portrait) -> WarpGenerator:
    """The generator that needs no learned weights: its frames are independent of each other."""
    generator = make_generator(portrait, GeneratorOptions("warp"))
    assert isinstance(generator, WarpGenerator)
    return generator


def painted(
    portrait: Portrait,
    generator: Generator,
    states: Motion,
    options: AnimateOptions,
    drivers: Iterator[Image] | None,
) -> Iterator[Image]:
    """The output pictures, one by one: nothing but the current one is held."""
    photo = portrait.crop.extract(portrait.image) if options.crop else portrait.image
    for state, head in zip(states, generator.frames(states), strict=True):
        frame = head if options.crop else paste_back(portrait.image, head, portrait.crop)
        if options.compare:
            # A performance without pictures of its own is shown as the head that drives the photo.
            driver = next(drivers) if drivers is not None else normals_to_picture(generator.maps(state).normals[0])
            frame = side_by_side([photo, driver, frame], frame.shape[0])
        yield frame


def performance_frames(performance: Path, track: Motion) -> Iterator[Image] | None:
    """The performance's own pictures, as many as the track has frames; None if it has none."""
    if not is_video(performance):
        return None
    wanted = set(track.require_clip().frame.tolist())
    return (frame.image for frame in read_frames(probe(performance)) if frame.index in wanted)
