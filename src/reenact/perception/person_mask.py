# SPDX-License-Identifier: Apache-2.0
"""Where the person is: MediaPipe's selfie segmentation (Apache-2.0)."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.media.native_messages import without_native_messages

from .shipped import SELFIE_SEGMENTATION


def person_mask(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Estimate the probability that a pixel shows a person.

    picture: [H, W, 3] uint8 sRGB. Returns [H, W] float32 in [0, 1]. The model sees 256 x 256 pixels, so hair is soft.
    """
    from mediapipe import Image, ImageFormat
    from mediapipe.tasks.python.core.base_options import BaseOptions
    from mediapipe.tasks.python.vision import ImageSegmenter, ImageSegmenterOptions

    base = BaseOptions(model_asset_buffer=SELFIE_SEGMENTATION.read_bytes())
    options = ImageSegmenterOptions(base, output_confidence_masks=True, output_category_mask=False)
    segmenter: Any
    with without_native_messages(), closing(ImageSegmenter.create_from_options(options)) as segmenter:
        image = Image(image_format=ImageFormat.SRGB, data=np.ascontiguousarray(picture))
        mask = segmenter.segment(image).confidence_masks[0].numpy_view()
        # A copy: the view's memory belongs to the segmenter's result.
        return np.clip(np.array(mask, np.float32).reshape(picture.shape[:2]), 0.0, 1.0)
