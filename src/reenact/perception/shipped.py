# SPDX-License-Identifier: Apache-2.0
"""The MediaPipe model files that the package ships (Apache-2.0); each has a card beside it in assets."""

from __future__ import annotations

from typing import Final

from reenact.media.files import asset

FACE_LANDMARKER: Final = asset("face_landmarker.task")
FACE_DETECTOR_SHORT: Final = asset("face_detection_short_range.tflite")
FACE_DETECTOR_FULL: Final = asset("face_detection_full_range_sparse.tflite")
SELFIE_SEGMENTATION: Final = asset("selfie_segmentation.tflite")
MODELS: Final = (FACE_LANDMARKER, FACE_DETECTOR_SHORT, FACE_DETECTOR_FULL, SELFIE_SEGMENTATION)
