# SPDX-License-Identifier: Apache-2.0
"""Faces of a picture with their 478 landmarks and blendshape scores; and one face through the frames of a video."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .face_detector import SAME_FACE_IOU, Box, detect_boxes
from .landmark_network import FaceLandmarks, LandmarkNetwork, Points

Image = np.ndarray  # uint8 RGB [H, W, 3]


@dataclass(frozen=True)
class Roi:
    """A square of the picture on which the landmark network runs; corner and side in px."""

    x0: float
    y0: float
    side: float

    def extract(self, image: Image) -> Image:
        """Crop and resize the square; edges are replicated outside the picture. Returns [S, S, 3] uint8."""
        px = int(np.clip(self.side, 256, 640))  # the landmark network works at 256 px
        factor = px / self.side
        matrix = np.asarray([[factor, 0, -self.x0 * factor], [0, factor, -self.y0 * factor]])
        flags = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
        inside = self.x0 >= 0 and self.y0 >= 0
        inside = inside and self.x0 + self.side <= image.shape[1] and self.y0 + self.side <= image.shape[0]
        if inside:
            x, y, s = round(self.x0), round(self.y0), round(self.side)
            part = image[y : y + s, x : x + s]
            return np.asarray(cv2.resize(part, (px, px), interpolation=flags), np.uint8)
        out = cv2.warpAffine(image, matrix, (px, px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(out, np.uint8)

    @staticmethod
    def around(points: Points) -> Roi:
        """Centre a square of whole pixels on a face."""
        low, high = points.min(axis=0), points.max(axis=0)
        side = 2.4 * float((high - low).max())  # heights, or widths, of the face
        x, y = 0.5 * (low + high)
        return Roi(round(float(x) - side / 2), round(float(y) - side / 2), round(side))

    def fits(self, points: Points) -> bool:
        """Tell whether the face is still well inside, and neither too small nor too large for this square."""
        low, high = points.min(axis=0), points.max(axis=0)
        size = float((high - low).max())
        margin = 0.12 * self.side
        inside = (low > (self.x0 + margin, self.y0 + margin)).all()
        inside = inside and (high < (self.x0 + self.side - margin, self.y0 + self.side - margin)).all()
        return bool(inside) and 0.25 < size / self.side < 0.6


def _in_picture(face: FaceLandmarks | None, roi: Roi) -> FaceLandmarks | None:
    if face is None:
        return None
    return face.with_points(face.points * np.float32(roi.side) + np.asarray([roi.x0, roi.y0], np.float32))


def detect_faces(image: Image, task: Path | None = None) -> list[FaceLandmarks]:
    """Detect every face of a picture, largest first; sideways and upside-down faces included.

    task: a FaceLandmarker file to use in place of the shipped one. Returns points in px of the picture.

    The landmark network is run on the picture in the orientation in which a face has the highest detection score: the
    networks do find a face that lies on its side or stands on its head, but then put an upright one over it.
    """
    best: tuple[float, int, list[Box]] = (0.0, 0, [])
    for quarter in range(4):
        boxes = detect_boxes(np.ascontiguousarray(np.rot90(image, quarter)))
        score = max((b.score for b in boxes), default=0.0) + (0.03 if quarter == 0 else 0.0)
        if boxes and score > best[0]:
            best = (score, quarter, boxes)
        if quarter == 0 and score > 0.87:
            break  # no other orientation is tried
    _, quarter, boxes = best
    faces = _faces_in(np.ascontiguousarray(np.rot90(image, quarter)), boxes, task)
    return [f.with_points(_rotate_back(f.points, quarter, image.shape[1], image.shape[0])) for f in faces]


def _faces_in(image: Image, boxes: list[Box], task: Path | None) -> list[FaceLandmarks]:
    faces: list[FaceLandmarks] = []
    with closing(LandmarkNetwork(task, video=False)) as network:
        for box in boxes:
            side = 2.0 * box.side
            roi = Roi(round((box.x0 + box.x1 - side) / 2), round((box.y0 + box.y1 - side) / 2), round(side))
            face = None
            for _ in range(2):  # the second time centred on the landmarks of the first
                face = _in_picture(network(roi.extract(image)), roi)
                if face is None:
                    break
                roi = Roi.around(face.points)
            if face is not None:
                faces.append(face)
    faces.sort(key=lambda f: -float(np.ptp(f.points[:, 1])))
    return _without_repeats(faces)


def _without_repeats(faces: list[FaceLandmarks]) -> list[FaceLandmarks]:
    """Drop a face whose landmarks lie on those of a larger one: two boxes can lead to the same face."""
    kept: list[tuple[Box, FaceLandmarks]] = []
    for face in faces:
        low, high = face.points.min(axis=0), face.points.max(axis=0)
        box = Box(float(low[0]), float(low[1]), float(high[0]), float(high[1]), 1.0)
        if all(box.iou(other) < SAME_FACE_IOU for other, _ in kept):
            kept.append((box, face))
    return [face for _, face in kept]


def _rotate_back(points: Points, quarter: int, width: int, height: int) -> Points:
    """Undo np.rot90(image, quarter) for points of the rotated picture; width, height: of the original picture."""
    x, y = points[:, 0], points[:, 1]
    back = [(x, y), (width - y, x), (width - x, height - y), (y, height - x)][quarter]
    return np.stack(back, axis=1).astype(np.float32)


class VideoLandmarks:
    """Follow one face through the frames of a video.

    face: number of the face in the first frame, counted from the largest (0).
    task: a FaceLandmarker file to use in place of the shipped one.
    """

    def __init__(self, face: int = 0, task: Path | None = None) -> None:
        self._face = face
        self._task = task
        self._roi: Roi | None = None
        self._last: FaceLandmarks | None = None
        self._network = LandmarkNetwork(task, video=True)

    def __enter__(self) -> VideoLandmarks:
        return self

    def __exit__(self, *failure: Any) -> None:
        self._network.close()

    def restart(self) -> None:
        """Forget where the face was (after a cut)."""
        self._roi = self._last = None

    def __call__(self, image: Image) -> FaceLandmarks | None:
        """Landmarks of the followed face in the next frame, px of the picture; None where it is not found."""
        face = None
        if self._roi is not None:
            crop = self._roi.extract(image)
            # The network tracks from its own last result; when that fails, its second try detects anew.
            face = _in_picture(self._network(crop), self._roi)
            if face is None:
                face = _in_picture(self._network(crop), self._roi)
        if face is None:
            face = self._find(image)
            self._roi = None if face is None else Roi.around(face.points)
        elif self._roi is not None and not self._roi.fits(face.points):
            self._roi = Roi.around(face.points)
        if face is not None:
            self._last = face
        return face

    def _find(self, image: Image) -> FaceLandmarks | None:
        """Detect the face nearest to where it was lost; at a start, the wanted one counted from the largest."""
        faces = detect_faces(image, self._task)
        if not faces:
            return None
        last = self._last
        if last is None:
            return faces[min(self._face, len(faces) - 1)]
        return min(faces, key=lambda f: float(np.linalg.norm(f.points.mean(axis=0) - last.points.mean(axis=0))))
