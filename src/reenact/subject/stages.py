# SPDX-License-Identifier: Apache-2.0
"""The joint fit's stages, as data: what moves, for how many steps, with which weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from .energy import Weights

Moves = Literal["identity", "static_coarse", "static_fine", "dynamic_field", "rotation", "translation", "log_distance"]


@dataclass(frozen=True)
class Stage:
    """Some steps of Adam over frames drawn in turn."""

    moves: tuple[Moves, ...]
    steps: int
    batch: int
    rate: float
    """Of the offset fields, metres of the base adult's head; poses move at 3 times as many radians."""
    weights: Weights


_POSE: Final = ("rotation", "translation")
PERSON: Final[tuple[Stage, ...]] = (
    Stage(("identity", *_POSE, "log_distance"), 60, 6, 4e-4, Weights()),
    Stage(("identity", "static_coarse", *_POSE, "log_distance"), 40, 6, 3e-4, Weights()),
    Stage(
        ("identity", "static_coarse", "static_fine", "dynamic_field", *_POSE),
        60, 6, 4e-4, Weights(magnitude=0.3, bend=1.0),
    ),
)  # fmt: skip
"""Key frames: who it is, with what they do in those frames set apart. Loose only at the end: what is large is found
stiff, noses and chins are then drawn out of it."""

FRAMES: Final[Stage] = Stage(("dynamic_field", *_POSE), 12, 8, 4e-4, Weights(outline=0.0))
"""Every frame, in chunks: what is done. `batch` frames at once, the chunk before fixed."""

KEY_FRAMES: Final = 24
RASTERISED_FOR: Final = 3
"""Times that a batch is stepped before it is found anew which triangle each of its pixels shows."""
