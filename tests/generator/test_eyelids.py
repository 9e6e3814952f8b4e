# SPDX-License-Identifier: Apache-2.0
"""The coordinates of an eye."""

import numpy as np

from reenact.generator.warp.eyelids import EyeFrame
from reenact.generator.warp.rasterised_mesh import Box


def test_an_eye_whose_lid_begins_beyond_its_corner_still_has_a_height_everywhere() -> None:
    """Seen from the side the upper lid's first point may lie well inside: heights there must not be NaN."""
    upper = np.asarray([[16.0, 22.0], [24.0, 17.0], [32.0, 17.0], [36.0, 20.0]], np.float32)
    lower = np.asarray([[4.0, 18.0], [20.0, 24.0], [32.0, 24.0], [44.0, 20.0]], np.float32)
    frame = EyeFrame.from_edges(upper, lower)
    along, height = frame.coordinates(Box(0, 0, 60, 48))
    assert along.min() < -0.1
    assert along.max() > 1.1
    assert np.isfinite(height).all()
    assert np.isfinite(frame.to_px(along, height)).all()
