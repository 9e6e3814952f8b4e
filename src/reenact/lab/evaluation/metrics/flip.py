# SPDX-License-Identifier: Apache-2.0
"""FLIP (Andersson et al. 2020): the difference a viewer sees when flipping between output and truth."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..about import About, Value, over_frames
from ..extra import required, version
from ..masks import NAMES
from ..observe import Image, ObservedFrame

PIXELS_PER_DEGREE: Final = 67.02064514160156
"""FLIP's default viewer: 0.7 m from a screen of 3840 px over 0.7 m."""


class Flip:
    """FLIP of every `every`-th moment that has a truth: it takes half a second a frame at 512 x 512.

    Raises InputError if flip-evaluator is not installed.
    """

    def __init__(self, every: int = 4) -> None:
        required("flip_evaluator")
        self._every = every
        self._rows: dict[str, list[float]] = {name: [] for name in NAMES}

    def update(self, moment: ObservedFrame) -> None:
        if moment.truth is None:
            raise ValueError("FLIP needs a truth")
        errors = None
        if moment.index % self._every == 0:
            errors = flip_map(moment.output.image, moment.truth.image)
        for name, row in self._rows.items():
            mask = moment.masks.get(name) if errors is not None else None
            row.append(np.nan if errors is None or mask is None else float(errors[mask].mean(dtype=np.float64)))

    def values(self) -> list[Value]:
        units = f"0..1, LDR, {PIXELS_PER_DEGREE:.2f} pixels per degree, mean of the error map and over frames"
        return [
            over_frames(About("flip", name, "lower", units, version("flip-evaluator"), every=self._every), row)
            for name, row in self._rows.items()
        ]


def flip_map(output: Image, truth: Image) -> NDArray[np.float32]:
    """Compute FLIP's error map [H, W], 0..1, of uint8 RGB images [H, W, 3]. Raises InputError without its package."""
    a, b = (np.ascontiguousarray(image, np.float32) / np.float32(255) for image in (output, truth))
    parameters = {"ppd": PIXELS_PER_DEGREE}
    errors, _, _ = required("flip_evaluator").evaluate(b, a, "LDR", True, False, False, parameters)
    return np.asarray(errors, np.float32)[..., 0]
