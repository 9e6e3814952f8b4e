# SPDX-License-Identifier: Apache-2.0
"""Which generator paints, and how."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor

from reenact.head.motion import Motion
from reenact.head.shape import HeadShape
from reenact.head.subject import Reference
from reenact.media import InputError
from reenact.rendering.head_renderer import MapStream

from .diffusion.compact.flow import CompactPainter, Sampling
from .diffusion.compact.weights import ASSET, best_device, load_compact
from .diffusion.controls import Painter
from .diffusion.paint import LearnedGenerator
from .warp.generator import WarpGenerator

GeneratorName = Literal["warp", "compact", "wan"]
STEPS: dict[GeneratorName, int] = {"warp": 0, "compact": 2, "wan": 30}
"""Of the flow, unless others are asked for."""


@dataclass(frozen=True)
class GeneratorOptions:
    """How frames are painted; all but `name` concern learned generators only."""

    name: GeneratorName = "warp"
    steps: int | None = None
    """Of the flow, None for STEPS."""
    guidance: float = 1.0
    """1 paints what the head tells; more exaggerates it, and takes twice as long."""
    seed: int = 0
    """Of the noise that wan begins with."""
    weights: Path | None = None
    """Of the compact generator a file, None for the one that is shipped; of wan the folder that training wrote."""
    device: str | None = None
    """Where the network runs, in torch's words; None: on the accelerator if there is one."""


class Generator(Protocol):
    """Frames of one reference picture of P x P px."""

    def frames(self, motion: Motion, maps: MapStream) -> Iterator[Tensor]:
        """[P, P, 3] uint8 each, as a stream: memory does not grow with their number. maps: of the motion."""
        ...


def make_generator(head: HeadShape, reference: Reference, options: GeneratorOptions) -> Generator:
    """Make the generator wanted; see WarpGenerator for what it is made of. Raises InputError for unusable weights."""
    if options.name == "warp":
        return WarpGenerator(head, reference)
    return LearnedGenerator(head, reference, _painter(options))


def _painter(options: GeneratorOptions) -> Painter:
    device = best_device() if options.device is None else torch.device(options.device)
    steps = STEPS[options.name] if options.steps is None else options.steps
    if options.name == "compact":
        net = load_compact(options.weights or ASSET, device)
        return CompactPainter(net, Sampling(steps, options.guidance))
    if options.weights is None:
        raise InputError("no weights of wan are shipped; want the folder that `reenact train generator` wrote")
    from .diffusion.wan.sampling import WanGenerator, WanPainter

    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    wan = WanGenerator.from_folder(options.weights, device=device, dtype=dtype)
    return WanPainter(wan, steps=steps, guidance=options.guidance, seed=options.seed)
