# SPDX-License-Identifier: Apache-2.0
"""What is kept of each frame, in large blocks: thousands of small arrays, each allocated between two pictures, would
keep the heap from reusing the pictures' places, and memory would grow by a picture a frame."""

import numpy as np
from numpy.typing import NDArray

_BLOCK = 256  # rows


class Rows:
    """A growing [F, *shape] array; unknown rows are NaN."""

    def __init__(self, *shape: int) -> None:
        self._shape = shape
        self._blocks: list[NDArray[np.float64]] = []
        self._count = 0

    def append(self, row: NDArray[np.floating] | None) -> None:
        """Copy a row [*shape]; None is unknown."""
        place = self._count % _BLOCK
        if place == 0:
            self._blocks.append(np.full((_BLOCK, *self._shape), np.nan))
        if row is not None:
            self._blocks[-1][place] = row
        self._count += 1

    def stack(self) -> NDArray[np.float64]:
        """All rows [F, *shape]."""
        return np.concatenate([np.zeros((0, *self._shape)), *self._blocks])[: self._count]
