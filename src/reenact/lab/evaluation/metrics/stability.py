# SPDX-License-Identifier: Apache-2.0
"""Does it tremble or flicker?  Nothing is steadier than a frozen picture, so the real video's own value is beside."""

from __future__ import annotations

from collections import deque
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.head.landmarks import FACE_LANDMARKS, FACE_OVAL
from reenact.head.mesh import rms_radius

from ..about import About, Value, mean_of, over_frames
from ..extra import landmarks_478, version
from ..masks import face_mask
from ..observe import DetectedFace, Image, ObservedFrame
from .identity_networks import similarity

_INNER: Final = sorted(set(range(FACE_LANDMARKS)) - set(FACE_OVAL))
"""The oval slides along the silhouette, irises dart: neither says anything about trembling."""


class Jitter:
    """Root mean square second difference of landmarks, after the head's own similarity motion has been taken out."""

    def __init__(self) -> None:
        self._last: tuple[deque[NDArray[np.float64] | None], ...] = (deque(maxlen=3), deque(maxlen=3))
        self._series: tuple[list[float], list[float]] = ([], [])

    def update(self, moment: ObservedFrame) -> None:
        for last, series, seen in zip(self._last, self._series, (moment.output, moment.real), strict=True):
            last.append(None if seen.points is None else seen.points[_INNER].astype(np.float64))
            series.append(second_difference(list(last)))

    def values(self) -> list[Value]:
        output, real = (float(np.sqrt(mean_of(np.square(s)))) for s in self._series)
        name, digest = landmarks_478()
        units = "face sizes (rms radius of landmarks), rms over landmarks and frames of the second difference in time"
        about = About("jitter", None, "lower", units, name, digest)
        ratio = About("jitter_ratio", None, "one", "jitter of the output / of the real video", name, digest)
        return [
            Value(about, output, np.asarray(self._series[0]), {"real": real}),
            Value(ratio, output / real if real > 0 else float("nan")),
        ]


def second_difference(points: list[NDArray[np.float64] | None]) -> float:
    """Compute the second difference of three frames' points [N, 2], the outer two aligned, in rms radii."""
    if len(points) < 3 or any(p is None for p in points):
        return float("nan")
    before, middle, after = (p for p in points if p is not None)
    moved = []
    for other in (before, after):
        matrix = similarity(other, middle)
        moved.append(other @ matrix[:, :2].T + matrix[:, 2])
    change = np.sqrt(((moved[0] - 2 * middle + moved[1]) ** 2).sum(axis=1).mean())
    return float(change / max(rms_radius(middle), 1e-6))


class FlowWarp:
    """What is left between two frames of the output once the truth's motion between them is taken out.

    In cross-reenactment, where there is no truth, the motion is the output's own: that sees flicker and popping, but
    not wrong motion.
    """

    def __init__(self) -> None:
        self._before: tuple[Image, Image] | None = None  # output, real; small
        self._series: tuple[list[float], list[float]] = ([], [])
        self._truth = True

    def update(self, moment: ObservedFrame) -> None:
        self._truth = moment.truth is not None
        now = _small(moment.output), _small(moment.real)
        found = float("nan"), float("nan")
        if self._before is not None and self._before[1].shape == now[1].shape:
            found = self._errors(moment, self._before, now)
        for series, error in zip(self._series, found, strict=True):
            series.append(error)
        self._before = now

    def values(self) -> list[Value]:
        whose = "truth's" if self._truth else "output's own"
        units = f"0..1, mean absolute difference on the face of frame t, warped by the {whose} flow, and frame t + 1"
        about = About("flow_warp", "face", "lower", units, f"{version('opencv-contrib-python')}, Farneback")
        return [over_frames(about, self._series[0], real=mean_of(self._series[1]))]

    def _errors(
        self, moment: ObservedFrame, before: tuple[Image, Image], now: tuple[Image, Image]
    ) -> tuple[float, float]:
        real = moment.real
        flow = backward_flow(before[1], now[1])
        own = warp_error(before[1], now[1], flow, _face(real, now[1]))
        if moment.truth is None:
            flow = backward_flow(before[0], now[0])
            return warp_error(before[0], now[0], flow, _face(moment.output, now[0])), own
        return warp_error(before[0], now[0], flow, _face(real, now[0])), own


def backward_flow(before: Image, now: Image) -> NDArray[np.float32]:
    """Compute where in `before` each pixel of `now` was [H, W, 2], px (Farneback 2003)."""
    grey = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in (now, before)]
    flow = cv2.calcOpticalFlowFarneback(
        grey[0], grey[1], np.zeros((*now.shape[:2], 2), np.float32), 0.5, 3, 15, 3, 5, 1.2, 0
    )
    return np.asarray(flow, np.float32)


def warp_error(before: Image, now: Image, flow: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> float:
    """Average the absolute difference, 0..1, of `now` and `before` warped to it, on the mask; NaN without a mask."""
    if mask is None or not mask.any():
        return float("nan")
    y, x = np.mgrid[: now.shape[0], : now.shape[1]].astype(np.float32)
    came = cv2.remap(before, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return float(np.abs(came[mask].astype(np.float32) - now[mask].astype(np.float32)).mean(dtype=np.float64) / 255)


def _small(seen: DetectedFace) -> Image:
    """Reduce a picture to at most 256 px along its longer side, at which flow is computed."""
    height, width = seen.shape
    factor = min(1.0, 256 / max(height, width))
    if factor == 1:
        return seen.image
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(seen.image, size, interpolation=cv2.INTER_AREA))


def _face(seen: DetectedFace, small: Image) -> NDArray[np.bool_] | None:
    if seen.points is None:
        return None
    factor = np.asarray([small.shape[1] / seen.shape[1], small.shape[0] / seen.shape[0]], np.float32)
    return face_mask(seen.points * factor, (small.shape[0], small.shape[1]))
