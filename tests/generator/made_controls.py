# SPDX-License-Identifier: Apache-2.0
"""Made-up controls for the compact network, and a small one whose every weight does something."""

from __future__ import annotations

import torch
from torch import Tensor

from reenact.generator.diffusion.compact.network import CompactConfig, CompactNet
from reenact.generator.diffusion.controls import Controls

SMALL = CompactConfig(widths=(8, 16, 64), depth=2)
SIDE, FRAMES = 48, 3


def made_controls(seed: int = 0, batch: int = 2, frames: int = FRAMES, side: int = SIDE) -> Controls:
    draw = torch.Generator().manual_seed(seed)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=draw)

    def labels(*shape: int) -> Tensor:
        found = torch.randint(0, 14, shape, generator=draw)
        return torch.where(found == 13, 255, found).to(torch.uint8)

    b, f, s = batch, frames, side
    return Controls(
        2 * rand(b, 3, s, s) - 1,
        2 * rand(b, 3, s, s) - 1,
        labels(b, s, s),
        2 * rand(b, f, 3, s, s) - 1,
        2 * rand(b, f, 3, s, s) - 1,
        labels(b, f, s, s),
        rand(b, f, 1, s, s),
    )


def trained(seed: int = 1) -> CompactNet:
    """A network whose every weight does something: those that begin at 0 are drawn too."""
    torch.manual_seed(seed)
    net = CompactNet(SMALL)
    with torch.no_grad():
        for weight in net.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
    return net.eval()
