# SPDX-License-Identifier: Apache-2.0
"""The step that has no corners."""

from __future__ import annotations

from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .model import Float


@overload
def smoothstep(low: float, high: float, value: Tensor) -> Tensor: ...
@overload
def smoothstep(low: float, high: float, value: NDArray[Any]) -> Float: ...
def smoothstep(low: float, high: float, value: Any) -> Any:
    """0 below `low`, 1 above `high`, smooth in between; also with low > high, then falling. Arrays or tensors."""
    t = ((value - low) / (high - low)).clip(0.0, 1.0)
    out = t * t * (3.0 - 2.0 * t)
    return out if isinstance(out, Tensor) else np.asarray(out, np.float32)
