# SPDX-License-Identifier: Apache-2.0
"""Which generator paints, and how."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from reenact.heads.rig import Rig
from reenact.heads.state import HeadState
from reenact.rendering import Camera, HeadMaps

from .compact.flow import Sampling
from .compact.paint import CompactGenerator
from .compact.weights import best_device, load_compact, shipped_weights
from .warp import WarpGenerator

GeneratorName = Literal["warp", "compact"]


@dataclass(frozen=True)
class GeneratorOptions:
    """How frames are painted; all but `name` concern learned generators only."""

    name: GeneratorName = "warp"
    steps: int = 2
    """Of the flow."""
    guidance: float = 1.0
    """1 paints what the head tells; more exaggerates it, and takes twice as long."""
    seed: int = 0
    weights: Path | None = None
    """Of the compact generator, None for those that are shipped."""
    device: str | None = None
    """Where the network runs, in torch's words; None: on the accelerator if there is one."""


class Generator(Protocol):
    """Frames of one photo."""

    def frames(self, states: Sequence[HeadState]) -> Iterator[NDArray[np.uint8]]:
        """[P, P, 3] each, as a stream: memory does not grow with their number."""
        ...

    def maps(self, state: HeadState) -> HeadMaps:
        """The driven head's maps."""
        ...


def make(
    photo_crop: NDArray[np.uint8],
    rig: Rig,
    photo_state: HeadState,
    camera: Camera,
    options: GeneratorOptions,
    *,
    size: int,
) -> Generator:
    """The generator wanted; see WarpGenerator for what it is made of. Raises InputError for unusable weights."""
    if options.name == "warp":
        return WarpGenerator(photo_crop, rig, photo_state, camera, size=size)
    device = best_device() if options.device is None else torch.device(options.device)
    net = load_compact(options.weights or shipped_weights(), device)
    sampling = Sampling(options.steps, options.guidance, options.seed)
    return CompactGenerator(photo_crop, rig, photo_state, camera, net, sampling, size=size)
