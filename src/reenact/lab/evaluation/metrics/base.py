# SPDX-License-Identifier: Apache-2.0
"""The interface of metrics: they take one frame after the other and return their numbers at the end."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..about import Value
from ..observe import ObservedFrame


class Metric(Protocol):
    """Keeps numbers and landmarks between frames, never pictures (but for the one before, where motion needs it)."""

    def update(self, moment: ObservedFrame) -> None:
        """Take the next frame of the clip."""
        ...

    def values(self) -> list[Value]:
        """Return all numbers of the clip."""
        ...


class Absent(Exception):
    """A metric cannot be computed here: the message says why.  It is reported by that reason, never replaced."""


_BLOCK = 256  # rows


class Rows:
    """A growing [F, *shape] array, kept in large blocks; unknown rows are NaN.

    Thousands of small arrays, each allocated between two pictures, would keep the heap from reusing the pictures'
    places, and memory would grow by a picture a frame.
    """

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
        """Return all rows [F, *shape]."""
        return np.concatenate([np.zeros((0, *self._shape)), *self._blocks])[: self._count]
