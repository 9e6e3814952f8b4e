# SPDX-License-Identifier: Apache-2.0
"""dlib's 68 landmarks as an independent witness of what a mouth, an eye and a brow do.

The predictor (King, dlib; Kazemi and Sullivan 2014) was trained on iBUG 300-W, which is for non-commercial
use: it measures, and is on no other path.
"""

import importlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

dlib: Any = importlib.import_module("dlib")  # a binary without type stubs

MEASURES = ("mouth", "eye_right", "eye_left", "eyes", "brow")
UNITS = {
    "mouth": "mean distance of the inner lip points 61-67, 62-66, 63-65 / inter-ocular distance",
    "eye_right": "eye aspect ratio of points 36-41 (the person's right eye)",
    "eye_left": "eye aspect ratio of points 42-47 (the person's left eye)",
    "eyes": "mean of both eye aspect ratios",
    "brow": "mean height of points 17-26 over the line through both eye centres / inter-ocular distance",
}

BOX_WIDTH = 1.90
BOX_DROP = 0.21
"""A face box as dlib's own detector draws it, from the eyes and the nose: its side in units of the root of
(inter-ocular distance squared + eye-to-nose distance squared), its centre below the eyes in units of its
side. Medians over 69 detections. One convention for all; mouth and chin, which move, have no part in it."""

WINDOW_PX, BOX_PX = 640, 400
"""The predictor rounds to whole pixels, which is much of a half-shut eye: each face is first enlarged."""

JITTERS = ((0, 0, 1), (0.04, 0, 1), (-0.04, 0, 1), (0, 0.04, 1), (0, -0.04, 1), (0, 0, 0.94), (0, 0, 1.06))
"""Shifts of the box (x, y, in units of its side) and zooms over which points are averaged. On three driving
clips this takes the witness's frame-to-frame noise from 0.011 to 0.005 (eyes) and 0.005 to 0.002 (mouth)."""

CHECK_EVERY = 15
"""Frames after which the detector must confirm the box."""


def weights() -> Path:
    """The predictor's file. The package that carries it cannot be imported (pkg_resources is gone)."""
    spec = importlib.util.find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise SystemExit("face_recognition_models is missing: python -m pip install -e '.[evaluation]'")
    return Path(spec.origin).parent / "models" / "shape_predictor_68_face_landmarks.dat"


class Landmarks68:
    """The landmarks of the largest face, frame by frame: detected once, then followed."""

    def __init__(self) -> None:
        self._detect = dlib.get_frontal_face_detector()
        self._predict = dlib.shape_predictor(str(weights()))

    def follow(self, frames: Iterable[np.ndarray]) -> np.ndarray:
        """uint8 RGB frames [H, W, 3] to points [F, 68, 2] in pixels (x, y); NaN where no face is found."""
        found = []
        box: np.ndarray | None = None
        for number, frame in enumerate(frames):
            image = np.ascontiguousarray(frame)
            if box is None or number % CHECK_EVERY == 0:
                box = self._confirmed(image, box)
            points = None if box is None else self._points(image, box)
            box = None if points is None else face_box(points)
            found.append(np.full((68, 2), np.nan) if points is None else points)
        return np.stack(found)

    def _confirmed(self, image: np.ndarray, box: np.ndarray | None) -> np.ndarray | None:
        """The box followed so far if the detector agrees or sees nothing, else the detector's largest."""
        seen = [np.array([d.left(), d.top(), d.width()], float) for d in self._detect(image, 0)]
        if not seen and box is None:
            seen = [np.array([d.left(), d.top(), d.width()], float) for d in self._detect(image, 1)]
        if not seen:
            return box
        if box is not None and max(_overlap(box, other) for other in seen) > 0.4:
            return box
        return max(seen, key=lambda other: other[2])

    def _points(self, image: np.ndarray, box: np.ndarray) -> np.ndarray | None:
        """Points in `box`, then their mean over JITTERS of the box that these define; None if they left."""
        box = face_box(self._predicted(image, box))
        jittered = [
            np.array([*(box[:2] + box[2] * ((1 - zoom) / 2 + np.array(shift))), box[2] * zoom])
            for *shift, zoom in JITTERS
        ]
        points = np.mean([self._predicted(image, one) for one in jittered], axis=0)
        height, width = image.shape[:2]
        inside = ((points.mean(0) > 0) & (points.mean(0) < (width, height))).all()
        return points if inside else None

    def _predicted(self, image: np.ndarray, box: np.ndarray) -> np.ndarray:
        """Points [68, 2] in pixels of `image` for one face box."""
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
        shape = self._predict(window, dlib.rectangle(edge, edge, edge + BOX_PX, edge + BOX_PX))
        return np.array([[part.x, part.y] for part in shape.parts()]) / scale + corner


def face_box(points: np.ndarray) -> np.ndarray:
    """(left, top, side) in pixels of the face of `points` [68, 2], by BOX_WIDTH and BOX_DROP."""
    right, left = points[36:42].mean(0), points[42:48].mean(0)
    centre = (right + left) / 2
    side = BOX_WIDTH * np.hypot(np.linalg.norm(left - right), np.linalg.norm(points[33] - centre))
    return np.array([centre[0] - side / 2, centre[1] + (BOX_DROP - 0.5) * side, side])


def measure(points: np.ndarray) -> dict[str, np.ndarray]:
    """Points [F, 68, 2] to the MEASURES over time, each [F], in UNITS; NaN stays NaN.

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
    """Intersection over union of two squares (left, top, side)."""
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[:2] + a[2], b[:2] + b[2])
    shared = np.prod(np.maximum(high - low, 0))
    return float(shared / (a[2] ** 2 + b[2] ** 2 - shared))
