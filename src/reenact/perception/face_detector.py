# SPDX-License-Identifier: Apache-2.0
"""Boxes of faces, by MediaPipe's two BlazeFace detectors: one for large faces, one for faces small in the picture."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.media.native_messages import without_native_messages

from .shipped import FACE_DETECTOR_FULL, FACE_DETECTOR_SHORT

SAME_FACE_IOU = 0.3  # chosen: at 0.6 the two boxes of one face stay apart, at 0.15 neighbours in a crowd become one


@dataclass(frozen=True)
class Box:
    """A detected face, px; `score` is the detector's confidence in 0..1."""

    x0: float
    y0: float
    x1: float
    y1: float
    score: float

    @property
    def side(self) -> float:
        """Longer side, px."""
        return max(self.x1 - self.x0, self.y1 - self.y0)

    def iou(self, other: Box) -> float:
        """Intersection over union."""
        width = min(self.x1, other.x1) - max(self.x0, other.x0)
        height = min(self.y1, other.y1) - max(self.y0, other.y0)
        common = max(width, 0) * max(height, 0)
        area = (self.x1 - self.x0) * (self.y1 - self.y0) + (other.x1 - other.x0) * (other.y1 - other.y0) - common
        return common / max(area, 1e-9)


def detect_boxes(image: NDArray[np.uint8]) -> list[Box]:
    """Detect upright faces by the short- and the full-range detector together.

    image: [H, W, 3] uint8 sRGB. Returns boxes in px of the picture, largest first; one that both detectors report has
    the size of the larger box and the higher score.
    """
    from mediapipe import Image, ImageFormat
    from mediapipe.tasks.python.core.base_options import BaseOptions
    from mediapipe.tasks.python.vision import FaceDetector, FaceDetectorOptions

    h, w = image.shape[:2]
    factor = min(1.0, 1280 / max(h, w))  # the networks work at 128 and 192 px
    small = cv2.resize(image, (max(1, round(w * factor)), max(1, round(h * factor))), interpolation=cv2.INTER_AREA)
    picture = Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(small, np.uint8))
    boxes: list[Box] = []
    for model in (FACE_DETECTOR_SHORT, FACE_DETECTOR_FULL):
        base = BaseOptions(model_asset_buffer=model.read_bytes())
        options = FaceDetectorOptions(base, min_detection_confidence=0.5)
        detector: Any
        with without_native_messages(), closing(FaceDetector.create_from_options(options)) as detector:
            for found in detector.detect(picture).detections:
                box, score = found.bounding_box, float(found.categories[0].score)
                x0, y0 = box.origin_x / factor, box.origin_y / factor
                boxes.append(Box(x0, y0, x0 + box.width / factor, y0 + box.height / factor, score))
    boxes.sort(key=lambda b: -b.side)
    kept: list[Box] = []
    for box in boxes:
        same = next((n for n, other in enumerate(kept) if box.iou(other) >= SAME_FACE_IOU), None)
        if same is None:
            kept.append(box)
        elif box.score > kept[same].score:
            kept[same] = replace(kept[same], score=box.score)
    return kept
