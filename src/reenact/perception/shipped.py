# SPDX-License-Identifier: Apache-2.0
"""The MediaPipe model files that the package ships (Apache-2.0); each has a card beside it in assets."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_ASSETS: Final = Path(__file__).parent.parent / "assets"

FACE_LANDMARKER: Final = _ASSETS / "face_landmarker.task"
FACE_DETECTOR_SHORT: Final = _ASSETS / "face_detection_short_range.tflite"
FACE_DETECTOR_FULL: Final = _ASSETS / "face_detection_full_range_sparse.tflite"
SELFIE_SEGMENTATION: Final = _ASSETS / "selfie_segmentation.tflite"
MODELS: Final = (FACE_LANDMARKER, FACE_DETECTOR_SHORT, FACE_DETECTOR_FULL, SELFIE_SEGMENTATION)
