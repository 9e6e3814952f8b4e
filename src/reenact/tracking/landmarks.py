# SPDX-License-Identifier: Apache-2.0
"""Faces and their 478 landmarks in pictures, by the models inside mediapipe's wheel."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .landmark_networks import landmark_network

Image = np.ndarray  # uint8 RGB [H, W, 3]
Points = NDArray[np.float32]

_ROI_OF_FACE = 2.4  # side of the square searched around a face, in heights of the face
_MAX_ROI_PX = 640  # larger regions are shrunk: the landmark network sees 192 px anyway
_MIN_ROI_PX = 256
_SURE = 0.87  # a face this sure as the picture stands needs no turning
_UPRIGHT_BONUS = 0.03


@dataclass(frozen=True)
class Roi:
    """A square of the picture that is shown to the landmark network."""

    x0: float
    y0: float
    side: float

    def extract(self, image: Image) -> Image:
        """Pixels of the square, edges replicated outside the picture."""
        px = int(np.clip(self.side, _MIN_ROI_PX, _MAX_ROI_PX))
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
        low, high = points.min(axis=0), points.max(axis=0)
        side = _ROI_OF_FACE * float((high - low).max())
        x, y = 0.5 * (low + high)
        return Roi(round(float(x) - side / 2), round(float(y) - side / 2), round(side))

    def holds(self, points: Points) -> bool:
        """Whether the face is still well inside, and neither too small nor too large for this square."""
        low, high = points.min(axis=0), points.max(axis=0)
        size = float((high - low).max())
        margin = 0.12 * self.side
        inside = (low > (self.x0 + margin, self.y0 + margin)).all()
        inside = inside and (high < (self.x0 + self.side - margin, self.y0 + self.side - margin)).all()
        return bool(inside) and 0.25 < size / self.side < 0.6


def _in_picture(found: Points | None, roi: Roi) -> Points | None:
    if found is None:
        return None
    return found * np.float32(roi.side) + np.asarray([roi.x0, roi.y0], np.float32)


@dataclass(frozen=True)
class Box:
    """A detected face, px."""

    x0: float
    y0: float
    x1: float
    y1: float
    score: float

    @property
    def side(self) -> float:
        return max(self.x1 - self.x0, self.y1 - self.y0)

    def overlap(self, other: Box) -> float:
        """Intersection over union."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        common = max(width, 0) * max(height, 0)
        area = (self.x1 - self.x0) * (self.y1 - self.y0) + (other.x1 - other.x0) * (other.y1 - other.y0) - common
        return common / max(area, 1e-9)


def detect_boxes(image: Image) -> list[Box]:
    """Upright faces, largest first, by the short- and the full-range detector together."""
    from mediapipe.python.solutions.face_detection import FaceDetection

    h, w = image.shape[:2]
    factor = min(1.0, 1280 / max(h, w))
    small = cv2.resize(image, (max(1, round(w * factor)), max(1, round(h * factor))), interpolation=cv2.INTER_AREA)
    boxes: list[Box] = []
    for selection in (0, 1):
        with FaceDetection(model_selection=selection, min_detection_confidence=0.5) as detector:
            result: Any = detector.process(np.asarray(small, np.uint8))
            for found in result.detections or []:
                box = found.location_data.relative_bounding_box
                x0, y0 = box.xmin * w, box.ymin * h
                boxes.append(Box(x0, y0, x0 + box.width * w, y0 + box.height * h, float(found.score[0])))
    boxes.sort(key=lambda b: -b.side)
    kept: list[Box] = []
    for box in boxes:
        same = next((n for n, other in enumerate(kept) if box.overlap(other) >= 0.3), None)
        if same is None:
            kept.append(box)
        elif box.score > kept[same].score:  # as sure as the surer of the two detectors
            kept[same] = replace(kept[same], score=box.score)
    return kept


def detect_faces(image: Image, task: Path | None = None) -> list[Points]:
    """Landmarks [478, 2] px of every face of a picture, largest first; sideways and upside-down faces included.

    The picture is looked at the way up in which its surest face is surest: the networks do find a face that lies on
    its side or stands on its head, but then put an upright one over it.
    """
    best: tuple[float, int, list[Box]] = (0.0, 0, [])
    for quarter in range(4):
        boxes = detect_boxes(np.ascontiguousarray(np.rot90(image, quarter)))
        score = max((b.score for b in boxes), default=0.0) + (_UPRIGHT_BONUS if quarter == 0 else 0.0)
        if boxes and score > best[0]:
            best = (score, quarter, boxes)
        if quarter == 0 and score > _SURE:
            break
    _, quarter, boxes = best
    faces = _faces_in(np.ascontiguousarray(np.rot90(image, quarter)), boxes, task)
    return [_turn_back(p, quarter, image.shape[1], image.shape[0]) for p in faces]


def _faces_in(image: Image, boxes: list[Box], task: Path | None) -> list[Points]:
    faces: list[Points] = []
    with closing(landmark_network(task, video=False)) as network:
        for box in boxes:
            side = 2.0 * box.side
            roi = Roi(round((box.x0 + box.x1 - side) / 2), round((box.y0 + box.y1 - side) / 2), round(side))
            points = None
            for _ in range(2):  # the second look is centred on what the first one found
                points = _in_picture(network(roi.extract(image)), roi)
                if points is None:
                    break
                roi = Roi.around(points)
            if points is not None:
                faces.append(points)
    faces.sort(key=lambda p: -float(np.ptp(p[:, 1])))
    return faces


def _turn_back(points: Points, quarter: int, width: int, height: int) -> Points:
    """Undo np.rot90(image, quarter) for points of the turned picture; width, height: of the unturned picture."""
    x, y = points[:, 0], points[:, 1]
    back = [(x, y), (width - y, x), (width - x, height - y), (y, height - x)][quarter]
    return np.stack(back, axis=1).astype(np.float32)


class VideoLandmarks:
    """Follows one face through the frames of a video."""

    def __init__(self, face: int = 0, task: Path | None = None) -> None:
        self._face = face
        self._task = task
        self._roi: Roi | None = None
        self._last: Points | None = None
        self._network = landmark_network(task, video=True)

    def __enter__(self) -> VideoLandmarks:
        return self

    def __exit__(self, *failure: Any) -> None:
        self._network.close()

    def restart(self) -> None:
        """Forget where the face was (after a cut)."""
        self._roi = self._last = None

    def __call__(self, image: Image) -> Points | None:
        """Landmarks [478, 2] px of the followed face, None where it is not seen."""
        points = None
        if self._roi is not None:
            crop = self._roi.extract(image)
            # The network follows its own last sighting; when that misses, its second look detects anew.
            points = _in_picture(self._network(crop), self._roi)
            if points is None:
                points = _in_picture(self._network(crop), self._roi)
        if points is None:
            points = self._find(image)
            self._roi = None if points is None else Roi.around(points)
        elif self._roi is not None and not self._roi.holds(points):
            self._roi = Roi.around(points)
        if points is not None:
            self._last = points
        return points

    def _find(self, image: Image) -> Points | None:
        """The face nearest to where it was lost; at a start, the wanted one counted from the largest."""
        faces = detect_faces(image, self._task)
        if not faces:
            return None
        last = self._last
        if last is None:
            return faces[min(self._face, len(faces) - 1)]
        return min(faces, key=lambda f: float(np.linalg.norm(f.mean(axis=0) - last.mean(axis=0))))
