# SPDX-License-Identifier: Apache-2.0
"""What the networks say of every frame of a video, or of a picture: landmarks, expression evidence, tongue, cuts."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from reenact.media import CutDetector, InputError, VideoInfo, read_frames
from reenact.media.progress import Progress
from reenact.perception import (
    ExpressionEvidence,
    ExpressionObserver,
    FaceLandmarks,
    VideoLandmarks,
    detect_faces,
    tongue_out,
)
from reenact.perception.tongue import without_glimpses

log = logging.getLogger(__name__)

CutsPolicy = Literal["each", "first", "fail"]


@dataclass(frozen=True)
class Detections:
    """F frames of one face."""

    points: list[NDArray[np.float32] | None]  # [478, 2] px, None where no face was found
    evidence: list[ExpressionEvidence | None]  # of one frame each, None where no face was found
    shot: NDArray[np.int32]  # [F] shot of each frame
    tongue: NDArray[np.float32]  # [F] see tongue_out, 0 where no face was found

    @property
    def found(self) -> NDArray[np.bool_]:
        """[F] whether a face was found."""
        return np.asarray([p is not None for p in self.points])

    def rows(self, frames: NDArray[np.integer]) -> tuple[NDArray[np.float32], ExpressionEvidence]:
        """Landmarks [N, 478, 2] px and evidence of N frames in which the face was found."""
        points = [p for p in (self.points[i] for i in frames) if p is not None]
        evidence = [e for e in (self.evidence[i] for i in frames) if e is not None]
        return np.stack(points), ExpressionEvidence.joined(evidence)


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


def detect_image(
    image: NDArray[np.uint8], face: int, name: Path | str, task: Path | None, device: str | None
) -> Detections:
    """Look at a picture [H, W, 3] RGB. See `find_face` and, for the device, `torch_device`."""
    found = find_face(image, face, name, task)
    tongue = np.asarray([tongue_out(image, found.points)], np.float32)
    return Detections([found.points], [ExpressionObserver(device=device)(image, found)], np.zeros(1, np.int32), tongue)


def detect_video(
    info: VideoInfo, face: int, cuts: CutsPolicy, task: Path | None, device: str | None, progress: Progress
) -> Detections:
    """Decode a video once, find its cuts, and follow one face through it.

    The expression of a frame is looked at while the next one's landmarks are found.
    Raises InputError if there is a cut and `cuts` is "fail".
    """
    points: list[NDArray[np.float32] | None] = []
    looks: list[Future[ExpressionEvidence] | None] = []
    observe = ExpressionObserver(device=device)
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
            if len(looks) > 4 and (look := looks[-4]) is not None:
                look.result()  # no more pictures than these are held
            tongue.append(0.0 if detected is None else tongue_out(frame.image, detected.points))
            shots.append(shot)
            progress("tracking", len(points), info.frames)
    evidence = [None if look is None else look.result() for look in looks]
    shot_of, out = np.asarray(shots, np.int32), np.asarray(tongue, np.float32)
    for number in range(shot + 1):
        out[shot_of == number] = without_glimpses(out[shot_of == number])
    return Detections(points, evidence, shot_of, out)
