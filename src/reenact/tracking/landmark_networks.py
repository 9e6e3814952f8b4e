# SPDX-License-Identifier: Apache-2.0
"""The landmark network behind one small protocol: the one in mediapipe's wheel, or a ``.task`` file of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reenact.media import InputError
from reenact.media.files import existing_file

Points = NDArray[np.float32]

_FRAME_MS = 33  # the task API wants rising timestamps; their spacing does not matter to it


class LandmarkNetwork(Protocol):
    """Looks at square pictures; in video use it follows its own last sighting from call to call."""

    def __call__(self, square: np.ndarray) -> Points | None:
        """uint8 RGB [S, S, 3] -> [478, 2] in shares of the side, None without a face."""
        ...

    def close(self) -> None: ...


class BundledNetwork:
    """`face_landmark_with_attention` of mediapipe 0.10.21 (Apache-2.0), the last release whose wheel carries it."""

    def __init__(self, video: bool) -> None:
        from mediapipe.python.solutions.face_mesh import FaceMesh

        self._mesh = FaceMesh(
            static_image_mode=not video, max_num_faces=1, refine_landmarks=True, min_tracking_confidence=0.4
        )

    def __call__(self, square: np.ndarray) -> Points | None:
        result: Any = self._mesh.process(square)
        if not result.multi_face_landmarks:
            return None
        return np.asarray([(p.x, p.y) for p in result.multi_face_landmarks[0].landmark], np.float32)

    def close(self) -> None:
        self._mesh.close()


class TaskNetwork:
    """A FaceLandmarker ``.task`` file, as newer releases of mediapipe want one."""

    def __init__(self, task: Path, video: bool) -> None:
        from mediapipe.tasks.python.core.base_options import BaseOptions
        from mediapipe.tasks.python.vision.core.vision_task_running_mode import VisionTaskRunningMode
        from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker, FaceLandmarkerOptions

        existing_file(task, "a FaceLandmarker .task file")
        mode = VisionTaskRunningMode.VIDEO if video else VisionTaskRunningMode.IMAGE
        options = FaceLandmarkerOptions(BaseOptions(model_asset_path=str(task)), running_mode=mode)
        try:
            self._landmarker = FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{task} cannot be used ({reason}); want a MediaPipe FaceLandmarker .task file") from error
        self._video = video
        self._calls = 0

    def __call__(self, square: np.ndarray) -> Points | None:
        from mediapipe.python._framework_bindings.image import Image as MpImage
        from mediapipe.python._framework_bindings.image_frame import ImageFormat

        picture = MpImage(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(square))
        self._calls += 1
        if self._video:
            result = self._landmarker.detect_for_video(picture, self._calls * _FRAME_MS)
        else:
            result = self._landmarker.detect(picture)
        if not result.face_landmarks:
            return None
        return np.asarray([(p.x, p.y) for p in result.face_landmarks[0]], np.float32)

    def close(self) -> None:
        self._landmarker.close()


def landmark_network(task: Path | None, video: bool) -> LandmarkNetwork:
    """The user's network if a file was given, else the bundled one.  Raises InputError for a file that is none."""
    return BundledNetwork(video) if task is None else TaskNetwork(task, video)
