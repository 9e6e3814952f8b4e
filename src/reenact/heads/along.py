# SPDX-License-Identifier: Apache-2.0
"""Values known along a line where skin meets skin, carried to the vertices beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .model import Float


@dataclass(frozen=True)
class Along:
    """n vertices, each between two of Q places of a line."""

    rows: NDArray[np.integer]  # [n]
    before: NDArray[np.integer]  # [n] of the Q
    share: Float  # [n] of the next place

    @staticmethod
    def of(line: Float, at: Float, rows: NDArray[np.integer]) -> Along:
        """line: [Q] rising coordinate of the places; at: [n] of the vertices. Beyond the ends: as at the end."""
        place = np.interp(at, line, np.arange(len(line)))
        before = np.minimum(place.astype(int), len(line) - 2)
        return Along(rows, before, (place - before).astype(np.float32))

    def of_rows(self, values: Float) -> Float:
        """[F, Q] -> [F, n]"""
        before, after = values[:, self.before], values[:, self.before + 1]
        return np.asarray((1.0 - self.share) * before + self.share * after, np.float32)
