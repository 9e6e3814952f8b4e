# SPDX-License-Identifier: Apache-2.0
"""The landmark network: MediaPipe's FaceLandmarker, 478 points and 52 blendshape scores of one face in a square."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.head.arkit import ACTIONS, index
from reenact.media import InputError
from reenact.media.files import existing_file
from reenact.media.native_messages import without_native_messages

from .shipped import FACE_LANDMARKER

Points = NDArray[np.float32]

# Spacing of timestamps in video mode, which smooths landmarks by a one-euro filter (Casiez et al. 2012) whose lag at
# rest is 3 s: frames 33 ms apart lose blinks. Over 8 dev clips of at most 100 frames, openness of eyes correlates .86
# with that of mediapipe 0.10.21, at 1000 s .90; a frame then keeps 0.3 % of the one before (half or double: the same).
_FRAME_MS = 1_000_000


@dataclass(frozen=True, eq=False)
class FaceLandmarks:
    """One face as the landmark network reports it.

    points: [478, 2] float32, in MediaPipe's scheme; px of the picture (shares of the side for a network's square).
    blendshapes: [52] float32 scores in 0..1, in the order of `reenact.head.arkit.ACTIONS`; tongueOut, for which the
        network has no score, is 0. "Left" is the subject's.
    """

    points: Points
    blendshapes: NDArray[np.float32]

    def with_points(self, points: NDArray[np.floating]) -> FaceLandmarks:
        """Replace the points, as a change of the coordinate frame does."""
        return FaceLandmarks(np.asarray(points, np.float32), self.blendshapes)


class LandmarkNetwork:
    """Run a FaceLandmarker ``.task`` file on square pictures.

    task: file of the user's, None for the shipped one.
    video: track the face from call to call (no detector while it succeeds) rather than detect it in each picture.
    Raises InputError for a file that is no FaceLandmarker bundle.
    """

    def __init__(self, task: Path | None, video: bool) -> None:
        from mediapipe.tasks.python.core.base_options import BaseOptions
        from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions, RunningMode

        path = FACE_LANDMARKER if task is None else task
        existing_file(path, "a FaceLandmarker .task file")
        options = FaceLandmarkerOptions(
            # From memory: paths with letters outside ASCII are not opened on every system.
            BaseOptions(model_asset_buffer=path.read_bytes()),
            running_mode=RunningMode.VIDEO if video else RunningMode.IMAGE,
            output_face_blendshapes=True,
        )
        try:
            with without_native_messages():
                self._landmarker: Any = FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{path} cannot be used ({reason}); want a MediaPipe FaceLandmarker .task file") from error
        self._video = video
        self._calls = 0

    def __call__(self, square: NDArray[np.uint8]) -> FaceLandmarks | None:
        """Find the one face of a square picture.

        square: [S, S, 3] uint8 sRGB. Returns points in shares of the side, None without a face.
        """
        from mediapipe import Image, ImageFormat

        picture = Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(square))
        self._calls += 1
        with without_native_messages() if self._calls == 1 else nullcontext():
            if self._video:
                result = self._landmarker.detect_for_video(picture, self._calls * _FRAME_MS)
            else:
                result = self._landmarker.detect(picture)
        if not result.face_landmarks:
            return None
        points = np.asarray([(p.x, p.y) for p in result.face_landmarks[0]], np.float32)
        return FaceLandmarks(points, _in_order_of_actions(result.face_blendshapes[0]))

    def close(self) -> None:
        """Free the network."""
        self._landmarker.close()


def _in_order_of_actions(categories: list[Any]) -> NDArray[np.float32]:
    """[52] scores by name; MediaPipe's "_neutral" is dropped, and what it has no score for is 0."""
    scores = np.zeros(len(ACTIONS), np.float32)
    for category in categories:
        if category.category_name in ACTIONS:
            scores[index(category.category_name)] = category.score
    return scores
