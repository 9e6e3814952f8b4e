# SPDX-License-Identifier: Apache-2.0
"""Does it move at all?  On a frozen photo a landmark detector sees motion that is not there; pixels do not."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from ..about import About, Value
from ..extra import version
from ..observe import Image, Observed

_PX: Final = 48
"""Longer side at which frames are compared: noise and compression are averaged away."""


class Movement:
    """How far the pictures get from the clip's first, output over driver (over the truth where there is one)."""

    def __init__(self) -> None:
        self._first: tuple[Image, Image] | None = None
        self._moved: tuple[list[float], list[float]] = ([], [])

    def update(self, moment: Observed) -> None:
        now = _tiny(moment.output.image), _tiny(moment.real.image)
        if self._first is None:
            self._first = now
        for moved, first, picture in zip(self._moved, self._first, now, strict=True):
            moved.append(float(np.abs(picture - first).mean()))

    def values(self) -> list[Value]:
        output, real = (float(np.mean(moved)) for moved in self._moved)
        units = "mean absolute difference from the clip's first frame, output / driver or truth"
        about = About("movement", None, "one", units, f"{version('opencv-contrib-python')}, frames of {_PX} px")
        return [Value(about, output / real if real > 0 else float("nan"), beside={"output": output, "real": real})]


def _tiny(image: Image) -> Image:
    """float32 [h, w, 3], 0..1."""
    factor = _PX / max(image.shape[:2])
    size = max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor))
    return np.asarray(cv2.resize(image.astype(np.float32) / 255, size, interpolation=cv2.INTER_AREA))
