# SPDX-License-Identifier: Apache-2.0
"""How a stored frame is to be shown: turned, mirrored, with square pixels."""

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType


@dataclass(frozen=True)
class Display:
    """From a stored frame to the picture a player shows.

    `stored_width`, `stored_height`: size in px to scale a decoded frame to, before turning (square pixels).
    `turns`: quarter turns counterclockwise. `mirrored`: flipped left to right before turning.
    """

    stored_width: int
    stored_height: int
    turns: int
    mirrored: bool

    @classmethod
    def of(cls, frame: av.VideoFrame, pixel_aspect: Fraction | None) -> "Display":
        """Read the frame's display matrix; `pixel_aspect` is a stored pixel's width / height, None for 1."""
        aspect = pixel_aspect or Fraction(1)
        # Encoders round aspect ratios (26363:26367 occurs); a deviation below 1 % is no intent.
        width = frame.width if abs(aspect - 1) < Fraction(1, 100) else max(1, round(frame.width * aspect))
        # PyAV's stub takes this container for a dictionary with one fixed key.
        data, kind = cast(SideDataContainer, frame.side_data), SideDataType.DISPLAYMATRIX
        turns, mirrored = _orientation(bytes(data[kind])) if kind in data else (0, False)
        return cls(width, frame.height, turns, mirrored)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in px as shown."""
        size = (self.stored_width, self.stored_height)
        return size if self.turns % 2 == 0 else (size[1], size[0])

    def upright(self, stored: np.ndarray) -> np.ndarray:
        """[stored_height, stored_width, 3] to [H, W, 3] as shown, contiguous."""
        if self.mirrored:
            stored = stored[:, ::-1]
        return np.ascontiguousarray(np.rot90(stored, self.turns))


def _orientation(matrix: bytes) -> tuple[int, bool]:
    """Quarter turns counterclockwise and mirroring from an MP4 display matrix (ISO/IEC 14496-12, 6.2.2).

    The matrix holds nine 32-bit integers a b u c d v x y w; a stored point (p, q), y down, is shown at
    (a p + c q, b p + d q). A turn by t counterclockwise on screen has a = cos t, b = -sin t.
    """
    a, b, _, c, d, _, _, _, _ = struct.unpack("=9i", matrix)
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    return round(math.atan2(-b, a) / (math.pi / 2)) % 4, mirrored
