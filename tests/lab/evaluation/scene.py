# SPDX-License-Identifier: Apache-2.0
"""The demo photo giving a bundled motion, small, and ways of spoiling it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from reenact.generator.warp.generator import WarpGenerator
from reenact.head.arkit import index
from reenact.head.open import open_head
from reenact.lab.evaluation.observe import DetectedFace, FaceDetectors, Image, ObservedFrame
from reenact.media import VideoWriter
from reenact.media.files import asset
from reenact.pipeline import AnimateOptions, bundled_motion, cropped, head_crop
from reenact.rendering.threads import one_torch_thread
from reenact.subject.fit_subject import fit_subject
from reenact.tracking import load_motion
from reenact.transfer.retarget import retarget

PHOTO = asset("demo/astronaut.jpg")
SIDE = 256
FRAMES = range(5, 41, 2)  # of `talking`: speech, brows, turns of the head
BLINKS = (5, 6, 12, 13, 14)  # frames whose eyes are shut on top of that
FPS = Fraction(30000, 1001)


@dataclass(frozen=True)
class Scene:
    """What is compared in these tests: a portrait and its performance, with landmarks."""

    photo: Image
    seen: tuple[DetectedFace, ...]

    @property
    def frames(self) -> list[Image]:
        return [one.image for one in self.seen]


def make_scene() -> Scene:
    with one_torch_thread():
        subject = fit_subject(open_head(), [PHOTO])
    crop = head_crop(subject, AnimateOptions(size=SIDE, crop=True))
    reference = cropped(subject.require_reference(), crop)
    motion = bundled_motion("talking")
    assert motion is not None
    states = retarget(load_motion(motion), subject, "relative", {})
    generator = WarpGenerator(subject.head, reference)
    acted = states[FRAMES]
    expression = acted.expression.clone()
    for side in ("Left", "Right"):
        expression[list(BLINKS), index(f"eyeBlink{side}")] = 1.0
    frames = [frame.numpy() for frame in generator.frames(acted.replace(expression=expression))]
    return Scene(reference.image.numpy(), tuple(watched(frames)))


def watched(frames: Sequence[Image]) -> list[DetectedFace]:
    """Both networks' landmarks of a clip."""
    with FaceDetectors() as watcher:
        return [watcher(frame) for frame in frames]


def moments(output: Sequence[DetectedFace], driver: Sequence[DetectedFace], truth: bool = True) -> list[ObservedFrame]:
    """Self-reenactment (truth: the driver itself) or cross-reenactment."""
    pairs = zip(output, driver, strict=True)
    return [ObservedFrame(k, out, real, real if truth else None) for k, (out, real) in enumerate(pairs)]


def write_video(path: Path, frames: Sequence[Image], fps: Fraction = FPS) -> Path:
    with VideoWriter(path, fps, frames[0].shape[1], frames[0].shape[0]) as writer:
        for frame in frames:
            writer.write(np.ascontiguousarray(frame))
    return path
