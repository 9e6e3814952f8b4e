# SPDX-License-Identifier: Apache-2.0
"""A Wan generator at work: long windows, each of which begins with frames of the one before."""

from __future__ import annotations

import torch
from torch import Tensor

from ..controls import Controls
from ..paint import Paint
from .plan import FRAMES
from .sampling import WanGenerator


class WanPainter:
    """See paint.Painter. steps, guidance, seed: see WanGenerator.sample. window: 1 more frame than a multiple of 4."""

    def __init__(
        self, generator: WanGenerator, *, steps: int, guidance: float, seed: int, size: int = 512, window: int = FRAMES
    ) -> None:
        self._generator, self._steps, self._guidance, self._seed = generator, steps, guidance, seed
        self.size, self.window = size, window
        self.overlap = generator.frames_a_latent + 1

    def paint(self, controls: Controls, before: Tensor | None) -> Paint:
        """A last window that is too short for whole latents is painted with its last frame held."""
        count, each = controls.frames, self._generator.frames_a_latent
        padded = controls.held(-(count - 1) % each)
        carried = None if before is None else before[None]
        frames = self._generator.sample(padded, self._steps, self._guidance, self._seed, carried)[0, :count]
        return Paint(frames, torch.zeros_like(frames[:, :2]))
