# SPDX-License-Identifier: Apache-2.0
"""One training step of the compact generator."""

from __future__ import annotations

import torch

from reenact.generator.diffusion.compact.network import CompactConfig, CompactNet
from reenact.generator.diffusion.controls import Controls
from reenact.lab.training.compact import compact_losses

B, F, S = 2, 3, 32


def clips() -> tuple[Controls, torch.Tensor]:
    """Controls and true frames: a warp that is too dark, but for one lit square."""
    torch.manual_seed(0)
    photo, warped = 0.5 * torch.rand(B, 3, S, S), 0.5 * torch.rand(B, F, 3, S, S)
    regions = torch.zeros(B, F, S, S, dtype=torch.uint8)
    blank = torch.zeros(B, F, 3, S, S)
    controls = Controls(photo, blank[:, 0], regions[:, 0], warped, blank, regions, torch.ones(B, F, 1, S, S))
    return controls, warped + 0.3


def test_steps_lower_the_loss() -> None:
    controls, frames = clips()
    net = CompactNet(CompactConfig(widths=(8, 16, 64), depth=1))
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    found = []
    for _ in range(5):
        loss = compact_losses(net, controls, frames)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(float(loss.detach()))
    assert found[-1] < 0.9 * found[0]


def test_the_flow_begins_with_the_warp_and_ends_with_the_frames() -> None:
    """An untrained network gives the warp back, wherever on its way the flow is: the loss does not depend on it."""
    controls, frames = clips()
    net = CompactNet(CompactConfig(widths=(8, 16, 64), depth=1))
    begun = compact_losses(net, controls, frames)
    late = compact_losses(net, controls, frames, time=torch.ones(B), noise=torch.randn(B, 1, 3, S, S))
    torch.testing.assert_close(begun, late)
    perfect = compact_losses(net, controls, controls.warped)
    assert float(perfect["colour"].detach()) < 1e-4 < float(begun["colour"].detach())
