# SPDX-License-Identifier: Apache-2.0
"""Where the person is: MediaPipe's selfie segmentation, whose model comes inside its wheel (Apache-2.0)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def person_mask(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probability that a pixel shows a person.

    picture: [H, W, 3] RGB. Returns [H, W] float32 in [0, 1]. The model sees 256 x 256 pixels, so hair is soft.
    """
    from mediapipe.python.solutions.selfie_segmentation import SelfieSegmentation

    with SelfieSegmentation(model_selection=0) as model:
        result: Any = model.process(np.ascontiguousarray(picture))
    return np.clip(np.asarray(result.segmentation_mask, np.float32), 0.0, 1.0)
