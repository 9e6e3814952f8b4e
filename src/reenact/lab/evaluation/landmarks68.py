# SPDX-License-Identifier: Apache-2.0
"""dlib's 68 landmarks, an independent detector of what a mouth, an eye and a brow do.

The predictor (King, dlib; Kazemi and Sullivan 2014) was trained on iBUG 300-W, which is for non-commercial
use: it measures, and is on no other path.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np

from .extra import PREDICTOR, dlib_model, required

MEASURES = ("mouth", "width", "eye_right", "eye_left", "eyes", "brow")
UNITS = {
    "mouth": "mean distance of the inner lip points 61-67, 62-66, 63-65 / inter-ocular distance",
    "width": "distance of the corners of the mouth 48-54 / inter-ocular distance",
    "eye_right": "eye aspect ratio of points 36-41 (the person's right eye)",
    "eye_left": "eye aspect ratio of points 42-47 (the person's left eye)",
    "eyes": "mean of both eye aspect ratios",
    "brow": "mean height of points 17-26 over the line through both eye centres / inter-ocular distance",
}

BOX_WIDTH_DROP = (1.90, 0.21)
"""A face box as dlib's own detector draws it, from the eyes and the nose: its side in units of the root of
(inter-ocular distance squared + eye-to-nose distance squared), its centre below the eyes in units of its
side. Medians over 69 detections. One convention for all; mouth and chin, which move, have no part in it."""

WINDOW_PX, BOX_PX = 640, 400
"""The predictor rounds to whole pixels, which is much of a half-shut eye: each face is first enlarged."""

JITTERS: Sequence[tuple[float, float, float]] = (
    (0, 0, 1),
    (0.04, 0, 1),
    (-0.04, 0, 1),
    (0, 0.04, 1),
    (0, -0.04, 1),
    (0, 0, 0.94),
    (0, 0, 1.06),
)
"""Shifts of the box (x, y, in units of its side) and zooms over which points are averaged. On three driving
clips this takes the detector's frame-to-frame noise from 0.011 to 0.005 (eyes) and 0.005 to 0.002 (mouth)."""


@cache
def _predictor() -> Any:
    """Load dlib's predictor once; its 100 MB take a second to read."""
    return required("dlib").shape_predictor(str(dlib_model(PREDICTOR)))


@cache
def _detector() -> Any:
    return required("dlib").get_frontal_face_detector()


class Landmarks68:
    """The landmarks of the largest face, frame by frame: detected once, then followed.

    Raises InputError if the `evaluation` extra is not installed.
    """

    def __init__(self) -> None:
        self._dlib = required("dlib")
        self._detect = _detector()
        self._predict = _predictor()

    def follow(self, frames: Iterable[np.ndarray]) -> np.ndarray:
        """Detect points [F, 68, 2], px (x, y), in uint8 RGB frames [H, W, 3]; NaN where no face is found."""
        follower = Follower(self)
        found = (follower(frame) for frame in frames)
        return np.stack([np.full((68, 2), np.nan) if points is None else points for points in found])

    def step(self, frame: np.ndarray, number: int, box: np.ndarray | None) -> np.ndarray | None:
        """Detect points [68, 2] px in frame `number`, whose face was last found in `box`; None without a face."""
        image = np.ascontiguousarray(frame)
        if box is None or number % 15 == 0:  # the detector confirms the box every so often
            box = self._confirmed(image, box)
        return None if box is None else self._points(image, box)

    def _confirmed(self, image: np.ndarray, box: np.ndarray | None) -> np.ndarray | None:
        """Return the box followed so far if the detector agrees or finds nothing, else the detector's largest."""
        seen = [np.array([d.left(), d.top(), d.width()], float) for d in self._detect(image, 0)]
        if not seen and box is None:
            seen = [np.array([d.left(), d.top(), d.width()], float) for d in self._detect(image, 1)]
        if not seen:
            return box
        if box is not None and max(_overlap(box, other) for other in seen) > 0.4:
            return box
        return max(seen, key=lambda other: other[2])

    def _points(self, image: np.ndarray, box: np.ndarray) -> np.ndarray | None:
        """Detect points in `box`, then average them over JITTERS of the box they define; None if they left."""
        points = self._predicted(image, box, JITTERS[:1])
        points = self._predicted(image, face_box(points), JITTERS)
        height, width = image.shape[:2]
        inside = ((points.mean(0) > 0) & (points.mean(0) < (width, height))).all()
        return points if inside else None

    def _predicted(
        self, image: np.ndarray, box: np.ndarray, jitters: Sequence[tuple[float, float, float]]
    ) -> np.ndarray:
        """Detect points [68, 2], px of `image`: the mean over jittered face boxes in one enlarged window."""
        scale = BOX_PX / box[2]
        edge = (WINDOW_PX - BOX_PX) // 2
        corner = box[:2] - edge / scale
        window = cv2.warpAffine(
            image,
            np.array([[scale, 0, -scale * corner[0]], [0, scale, -scale * corner[1]]]),
            (WINDOW_PX, WINDOW_PX),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        total = np.zeros((68, 2))
        for x, y, zoom in jitters:
            side = round(zoom * BOX_PX)
            left, top = (edge + round(shift * BOX_PX + (BOX_PX - side) / 2) for shift in (x, y))
            shape = self._predict(window, self._dlib.rectangle(left, top, left + side, top + side))
            total += [[part.x, part.y] for part in shape.parts()]
        return total / len(jitters) / scale + corner


class Follower:
    """One video's face, frame after frame."""

    def __init__(self, landmarks: Landmarks68) -> None:
        self._landmarks = landmarks
        self._number = 0
        self._box: np.ndarray | None = None

    def __call__(self, frame: np.ndarray) -> np.ndarray | None:
        """Detect points [68, 2] px in a uint8 RGB image [H, W, 3]; None without a face."""
        points = self._landmarks.step(frame, self._number, self._box)
        self._number += 1
        self._box = None if points is None else face_box(points)
        return points


def face_box(points: np.ndarray) -> np.ndarray:
    """Return the face box (left, top, side) of `points` [68, 2], px, by `BOX_WIDTH_DROP`."""
    right, left = points[36:42].mean(0), points[42:48].mean(0)
    centre = (right + left) / 2
    width, drop = BOX_WIDTH_DROP
    side = width * np.hypot(np.linalg.norm(left - right), np.linalg.norm(points[33] - centre))
    return np.array([centre[0] - side / 2, centre[1] + (drop - 0.5) * side, side])


def measure(points: np.ndarray) -> dict[str, np.ndarray]:
    """Compute the MEASURES of points [F, 68, 2] over time, each [F], in UNITS; NaN stays NaN.

    None of them changes when the picture is moved, turned or enlarged.
    """
    right, left = points[:, 36:42].mean(1), points[:, 42:48].mean(1)
    across = left - right
    ocular = np.linalg.norm(across, axis=-1)
    up = np.stack([across[:, 1], -across[:, 0]], axis=-1) / ocular[:, None]
    brows = points[:, 17:27].mean(1) - (right + left) / 2
    lips = np.linalg.norm(points[:, 61:64] - points[:, 67:64:-1], axis=-1).mean(1)
    eyes = [_aspect_ratio(points[:, start : start + 6]) for start in (36, 42)]
    return {
        "mouth": lips / ocular,
        "width": np.linalg.norm(points[:, 48] - points[:, 54], axis=-1) / ocular,
        "eye_right": eyes[0],
        "eye_left": eyes[1],
        "eyes": (eyes[0] + eyes[1]) / 2,
        "brow": (brows * up).sum(-1) / ocular,
    }


def agreement(driver: np.ndarray, output: np.ndarray) -> tuple[float, float]:
    """Pearson correlation and ratio of standard deviations, output / driver, of two series [F].

    Only frames where both are known count. NaN where a series does not move at all.
    """
    known = np.isfinite(driver) & np.isfinite(output)
    a, b = driver[known], output[known]
    if len(a) < 3 or a.std() == 0:
        return float("nan"), float("nan")
    correlation = float(np.corrcoef(a, b)[0, 1]) if b.std() > 0 else float("nan")
    return correlation, float(b.std() / a.std())


def _aspect_ratio(eye: np.ndarray) -> np.ndarray:
    """Eye points [F, 6], corner first, to opening over width (Soukupova and Cech 2016)."""
    heights = np.linalg.norm(eye[:, 1:3] - eye[:, 5:3:-1], axis=-1).sum(-1)
    return heights / (2 * np.linalg.norm(eye[:, 0] - eye[:, 3], axis=-1))


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Return the intersection over union of two squares (left, top, side)."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[:2] + a[2], b[:2] + b[2])
    shared = np.prod(np.maximum(high - low, 0))
    return float(shared / (a[2] ** 2 + b[2] ** 2 - shared))
