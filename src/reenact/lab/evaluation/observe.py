# SPDX-License-Identifier: Apache-2.0
"""Output, truth and driver frame by frame, side by side, with what two landmark networks see in each.

Frame k of one is compared with frame k of the others, in order of presentation on each file's exact constant grid.
Nothing but the current frames is kept, so memory does not grow with the clip.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.media import Frame, InputError, VideoInfo, probe, read_frames
from reenact.perception import VideoLandmarks

from .landmarks68 import Follower, Landmarks68
from .masks import Mask, masks

Image = np.ndarray  # uint8 RGB [H, W, 3]


@dataclass(frozen=True, eq=False)
class DetectedFace:
    """One picture and the landmarks of its face."""

    image: Image
    points: NDArray[np.float32] | None
    """[478, 2] px by MediaPipe, None where it sees no face."""
    points_68: NDArray[np.float64] | None
    """[68, 2] px by dlib, the independent detector that has no part in making outputs."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.image.shape[0], self.image.shape[1]


@dataclass(frozen=True, eq=False)
class ObservedFrame:
    """One moment.  `truth` is `driver` itself in self-reenactment, None in cross-reenactment of real people."""

    index: int
    output: DetectedFace
    driver: DetectedFace
    truth: DetectedFace | None

    @property
    def real(self) -> DetectedFace:
        """What the output should do: the truth where there is one, else the driver."""
        return self.driver if self.truth is None else self.truth

    @cached_property
    def masks(self) -> dict[str, Mask]:
        """Masks over the output, by the truth's landmarks, or the output's own where there is no truth."""
        return masks((self.output if self.truth is None else self.truth).points, self.output.shape)


@dataclass
class Counts:
    """What was compared and what was not: complete once the observation has been gone through."""

    fps: str
    size_output: tuple[int, int]  # width, height as written in the file
    size_compared: tuple[int, int]
    size_driver: tuple[int, int]
    size_truth: tuple[int, int] | None
    frames_output: int = 0
    frames_driver: int = 0
    frames_truth: int | None = None
    frames_compared: int = 0
    no_face: dict[str, int] = field(default_factory=dict)
    """Compared frames without a face, by video and detector: "output by mediapipe"."""

    def notes(self) -> list[str]:
        """List in words everything that makes these scores cover less than the whole clip."""
        said = []
        for name, frames in (("driver", self.frames_driver), ("truth", self.frames_truth)):
            if frames is not None and frames != self.frames_output:
                said.append(f"the output has {self.frames_output} frames, the {name} {frames}")
        if said:
            said.append(f"only the first {self.frames_compared} frames were compared")
        if self.size_compared != self.size_output:
            said.append(f"the output was resized from {_size(self.size_output)} to {_size(self.size_compared)}")
        said += [f"no face in {n} frames of the {name}" for name, n in self.no_face.items() if n]
        return said


class Observation:
    """An output beside its driver and truth, to be gone through once.

    Raises InputError if a file cannot be read, or if their frame rates differ, so that frame k of one is not
    frame k of the other.
    """

    def __init__(self, output: Path, driver: Path, truth: Path | None) -> None:
        self._infos = {"output": probe(output), "driver": probe(driver)}
        if truth is not None:
            same = truth.resolve() == driver.resolve()
            self._infos["truth"] = self._infos["driver"] if same else probe(truth)
        _check_rates(self._infos)
        real = self._infos.get("truth")
        size = _width_height(self._infos["output"] if real is None else real)
        self.fps = self._infos["output"].fps
        self.counts = Counts(
            fps=str(self.fps),
            size_output=_width_height(self._infos["output"]),
            size_compared=size,
            size_driver=_width_height(self._infos["driver"]),
            size_truth=None if real is None else _width_height(real),
        )

    def __iter__(self) -> Iterator[ObservedFrame]:
        infos, counts = self._infos, self.counts
        apart = infos.get("truth") is not None and infos["truth"] is not infos["driver"]
        names = ("output", "driver", "truth") if apart else ("output", "driver")
        seen = dict.fromkeys(names, 0)
        with ExitStack() as stack:
            detectors = {name: stack.enter_context(FaceDetectors()) for name in names}
            streams = [read_frames(infos[name]) for name in names]
            for index, frames in enumerate(zip_longest(*streams)):
                for name, frame in zip(names, frames, strict=True):
                    seen[name] += frame is not None
                if any(frame is None for frame in frames):
                    continue  # the rest is only counted
                yield self._moment(index, dict(zip(names, frames, strict=True)), detectors)
        counts.frames_output, counts.frames_driver = seen["output"], seen["driver"]
        if "truth" in infos:
            counts.frames_truth = seen["truth"] if apart else seen["driver"]

    def _moment(self, index: int, frames: dict[str, Frame], detectors: dict[str, FaceDetectors]) -> ObservedFrame:
        found: dict[str, DetectedFace] = {}
        for name, frame in frames.items():
            image = resized(frame.image, self.counts.size_compared) if name == "output" else frame.image
            found[name] = detectors[name](image)
            for detector, points in (("mediapipe", found[name].points), ("dlib", found[name].points_68)):
                key = f"{name} by {detector}"
                self.counts.no_face[key] = self.counts.no_face.get(key, 0) + (points is None)
        self.counts.frames_compared += 1
        truth = found.get("truth", found["driver"]) if "truth" in self._infos else None
        return ObservedFrame(index, found["output"], found["driver"], truth)


class FaceDetectors:
    """Both landmark networks on one video, frame after frame."""

    def __init__(self) -> None:
        self._follow_68 = Follower(Landmarks68())
        self._follow = VideoLandmarks()

    def __enter__(self) -> FaceDetectors:
        self._follow.__enter__()
        return self

    def __exit__(self, *failure: object) -> None:
        self._follow.__exit__(*failure)

    def __call__(self, image: Image) -> DetectedFace:
        face = self._follow(image)
        return DetectedFace(image, None if face is None else face.points, self._follow_68(image))


def resized(image: Image, size: tuple[int, int]) -> Image:
    """Resize to (width, height): averaged down, cubic up; untouched if it has that size."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    smaller = size[0] * size[1] < image.shape[0] * image.shape[1]
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC))


def _check_rates(infos: dict[str, VideoInfo]) -> None:
    output = infos["output"]
    for name, info in infos.items():
        if abs(info.fps - output.fps) > output.fps / 200:  # frame k of one is hardly frame k of the other
            raise InputError(
                f"{output.path} runs at {output.fps} frames per second, the {name} {info.path} at {info.fps}; "
                "want the same rate, or frame k of one is not frame k of the other"
            )


def _width_height(info: VideoInfo) -> tuple[int, int]:
    return info.width, info.height


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
