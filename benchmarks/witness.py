# SPDX-License-Identifier: Apache-2.0
"""How far the independent witness can be believed on a clip: what no output could exceed.

`mirrored`: dlib's series against its own on the mirrored pictures: noise. `other`: against the same measures of
MediaPipe's landmarks on the same pictures: what either takes for something else.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from reenact.lab.evaluation.landmarks68 import MEASURES, Landmarks68, agreement, measure
from reenact.perception import VideoLandmarks

_RIGHT_EYE, _LEFT_EYE = (33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380)
_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_CORNERS = (61, 291)
_INNER_LIPS = {61: 82, 62: 13, 63: 312, 65: 317, 66: 14, 67: 87}
"""MediaPipe's points nearest to those of the 68 that `measure` reads."""


def reliability(
    frames: list[np.ndarray], witness: Landmarks68, series: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float]]:
    """Correlations of the witness' own series of some frames with the two checks above, by measure; NaN if still."""
    flipped = measure(witness.follow(np.ascontiguousarray(frame[:, ::-1]) for frame in frames))
    flipped["eye_left"], flipped["eye_right"] = flipped["eye_right"], flipped["eye_left"]
    other = measure(as_68(frames))
    return {
        name: {
            "mirrored": agreement(series[name], flipped[name])[0],
            "other": agreement(series[name], other[name])[0],
            "other_amplitude": agreement(series[name], other[name])[1],
        }
        for name in MEASURES
    }


def as_68(frames: Iterable[np.ndarray]) -> np.ndarray:
    """[F, 68, 2] px: MediaPipe's landmarks where `measure` looks, NaN elsewhere and where no face is found."""
    found = []
    with VideoLandmarks(0, None) as follow:
        for frame in frames:
            face = follow(frame)
            row = np.full((68, 2), np.nan)
            if face is not None:
                points = face.points
                row[36:42], row[42:48] = points[list(_RIGHT_EYE)], points[list(_LEFT_EYE)]
                row[17:27] = points[list(_BROWS)]
                row[[48, 54]] = points[list(_CORNERS)]
                row[list(_INNER_LIPS)] = points[list(_INNER_LIPS.values())]
            found.append(row)
    return np.stack(found)
