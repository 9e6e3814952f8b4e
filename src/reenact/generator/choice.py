# SPDX-License-Identifier: Apache-2.0
"""The choice of a generator and its options."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
from torch import Tensor

from reenact.head.motion import Motion
from reenact.head.subject import Reference, Subject
from reenact.media import InputError, torch_device
from reenact.rendering.head_renderer import MapStream

from .diffusion.compact.flow import CompactPredictor, Sampling
from .diffusion.compact.weights import ASSET, load_compact
from .diffusion.controls import Predictor
from .diffusion.generator import LearnedGenerator
from .warp.generator import WarpGenerator

GeneratorName = Literal["warp", "compact", "wan"]
STEPS: dict[GeneratorName, int] = {"warp": 0, "compact": 2, "wan": 30}
"""Sampling steps unless others are asked for."""


@dataclass(frozen=True)
class GeneratorOptions:
    """How frames are generated; all but `name` concern learned generators only."""

    name: GeneratorName = "warp"
    steps: int | None = None
    """Sampling steps; None for STEPS."""
    guidance: float = 1.0
    """Scale of classifier-free guidance: 1 is the conditional prediction; more takes twice as long."""
    seed: int = 0
    """Seed of the noise that wan begins with."""
    weights: Path | None = None
    """File of the compact generator, None for the shipped one; of wan the folder that training wrote."""
    device: str | None = None
    """Of the network, in torch's words; None: the accelerator if there is one."""


class Generator(Protocol):
    """Frames of one reference of P x P px."""

    def frames(self, motion: Motion, maps: MapStream) -> Iterator[Tensor]:
        """Stream frames [P, P, 3] uint8 in constant memory.

        Args:
            motion: the subject's.
            maps: of the same motion.
        """
        ...


def make_generator(subject: Subject, reference: Reference, options: GeneratorOptions) -> Generator:
    """Make a generator of one reference.

    Args:
        subject: the person.
        reference: a square image of them.
        options: which generator, and its options.

    Raises:
        InputError: weights are missing, or not the generator's.
        ValueError: see WarpGenerator.
    """
    if options.name == "warp":
        return WarpGenerator(subject.head, reference)
    return LearnedGenerator(subject, reference, _predictor(options))


def _predictor(options: GeneratorOptions) -> Predictor:
    device = torch_device(options.device)
    steps = STEPS[options.name] if options.steps is None else options.steps
    if options.name == "compact":
        net = load_compact(options.weights or ASSET, device)
        return CompactPredictor(net, Sampling(steps, options.guidance))
    if options.weights is None:
        raise InputError("no weights of wan are shipped; want the folder that `reenact train generator` wrote")
    from .diffusion.wan.sampling import WanGenerator, WanPredictor

    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    wan = WanGenerator.from_folder(options.weights, device=device, dtype=dtype)
    return WanPredictor(wan, steps=steps, guidance=options.guidance, seed=options.seed)
