# SPDX-License-Identifier: Apache-2.0
"""Agreement of an output with its driver, read by a landmark detector that has no part in making outputs.

The detector is dlib's (landmarks68.py). `reliability` says how far it can be believed on a clip: no output can agree
with its driver better than the detector agrees with itself, or with another detector, on the driver's own pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, Final

import numpy as np

from reenact.perception import VideoLandmarks

from .landmarks68 import MEASURES, Landmarks68, agreement, measure

CORRELATIONS: Final = {"mouth": 0.90, "width": 0.80, "eye_right": 0.80, "eye_left": 0.80, "eyes": 0.80, "brow": 0.80}
"""Least correlation over time that is aimed at."""
AMPLITUDES: Final = (0.8, 1.25)
"""Least and largest ratio of standard deviations, output over driver, that are aimed at."""
_RIGHT_EYE, _LEFT_EYE = (33, 160, 158, 133, 153, 144), (362, 385, 387, 263, 373, 380)
_BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
_INNER_LIPS = {61: 82, 62: 13, 63: 312, 65: 317, 66: 14, 67: 87}
"""MediaPipe's landmarks nearest to those of the 68 that `measure` reads."""


def compare_motion(
    driver: Mapping[str, np.ndarray], output: Mapping[str, np.ndarray], fps: tuple[Fraction, Fraction]
) -> dict[str, Any]:
    """Correlate the measures of an output with those of its driver.

    Args:
        driver: Series [F] of each of `MEASURES`, frame by frame, read on the driving video.
        output: The same series, read on the output. Only frames that both have count.
        fps: frame rates of both.

    Returns:
        Numbers of frames, and by measure `correlation`, `amplitude` (standard deviation, output over driver) and
        `driver_std`; None where a series does not move.

    Raises:
        ValueError: the frame rates differ, so that frame k of one is not frame k of the other.
    """
    if fps[0] != fps[1]:
        raise ValueError(f"the driver runs at {fps[0]} frames per second, its output at {fps[1]}")
    counts = len(driver["mouth"]), len(output["mouth"])
    frames = min(counts)
    row: dict[str, Any] = {
        "frames": frames,
        "frames_driver": counts[0],
        "frames_output": counts[1],
        "missed_driver": int(np.isnan(driver["mouth"][:frames]).sum()),
        "missed_output": int(np.isnan(output["mouth"][:frames]).sum()),
    }
    for name in MEASURES:
        correlation, amplitude = agreement(driver[name][:frames], output[name][:frames])
        row[name] = {
            "correlation": _rounded(correlation),
            "amplitude": _rounded(amplitude),
            "driver_std": round(float(np.nanstd(driver[name][:frames])), 4),
        }
        if name.startswith("eye"):
            # As shares of how far each subject's eyes open, too: narrow eyes that shut completely move less.
            opening = [float(np.nanquantile(series[name], 0.9)) for series in (driver, output)]
            row[name]["amplitude_of_own_opening"] = _rounded(amplitude * opening[0] / max(opening[1], 1e-6))
    return row


def meets_targets(row: Mapping[str, Any], name: str) -> bool:
    """Return whether one measure of a row of `compare_motion` is within CORRELATIONS and AMPLITUDES."""
    correlation, amplitude = row[name]["correlation"], row[name]["amplitude"]
    if correlation is None or amplitude is None:
        return False
    return correlation >= CORRELATIONS[name] and AMPLITUDES[0] <= amplitude <= AMPLITUDES[1]


def reliability(
    frames: list[np.ndarray], detector: Landmarks68, series: Mapping[str, np.ndarray]
) -> dict[str, dict[str, float | None]]:
    """Compare the detector's series of some frames with two others of the same frames, by measure.

    `mirrored` is the correlation with its own series of the mirrored pictures (noise), `other` and `other_amplitude`
    the correlation and amplitude of the same measures of MediaPipe's landmarks (what either takes for something else).
    None where a series does not move.
    """
    flipped = measure(detector.follow(np.ascontiguousarray(frame[:, ::-1]) for frame in frames))
    flipped["eye_left"], flipped["eye_right"] = flipped["eye_right"], flipped["eye_left"]
    other = measure(mediapipe_as_68(frames))
    out = {}
    for name in MEASURES:
        correlation, amplitude = agreement(series[name], other[name])
        out[name] = {
            "mirrored": _rounded(agreement(series[name], flipped[name])[0]),
            "other": _rounded(correlation),
            "other_amplitude": _rounded(amplitude),
        }
    return out


def mediapipe_as_68(frames: Iterable[np.ndarray]) -> np.ndarray:
    """Return MediaPipe's landmarks in the order of the 68, [F, 68, 2] px.

    Only the points that `measure` reads are filled; the others, and frames without a face, are NaN.
    """
    found = []
    with VideoLandmarks(0, None) as follow:
        for frame in frames:
            face = follow(frame)
            row = np.full((68, 2), np.nan)
            if face is not None:
                points = face.points
                row[36:42], row[42:48] = points[list(_RIGHT_EYE)], points[list(_LEFT_EYE)]
                row[17:27] = points[list(_BROWS)]
                row[[48, 54]] = points[[61, 291]]
                row[list(_INNER_LIPS)] = points[list(_INNER_LIPS.values())]
            found.append(row)
    return np.stack(found)


def _rounded(value: float) -> float | None:
    return round(value, 3) if np.isfinite(value) else None
