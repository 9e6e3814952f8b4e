# SPDX-License-Identifier: Apache-2.0
"""The step that has no corners."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .model import Float


def smoothstep(low: float, high: float, value: NDArray[Any]) -> Float:
    """0 below `low`, 1 above `high`, smooth in between; also with low > high, then falling."""
    t = np.clip((value - low) / (high - low), 0.0, 1.0)
    return (t * t * (3.0 - 2.0 * t)).astype(np.float32)
