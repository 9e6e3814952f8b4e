# SPDX-License-Identifier: Apache-2.0
"""Muon: what a step does to matrices and to the rest, and that a run goes on exactly."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from reenact.lab.training.loop import Losses, Run, RunOptions, Schedule, seeded
from reenact.lab.training.muon import Muon, is_matrix, orthogonalised


def test_all_directions_of_a_matrix_become_about_as_long() -> None:
    torch.manual_seed(0)
    for shape in ((8, 20), (20, 8), (6, 6)):
        values = torch.linalg.svdvals(orthogonalised(torch.randn(shape)))
        assert values.min() > 0.3 and values.max() < 1.3


def test_a_step_is_as_large_as_adams() -> None:
    """And a depthwise convolution, whose channels do not mix, is no matrix."""
    net = nn.ModuleList([nn.Conv2d(16, 32, 3), nn.Conv2d(8, 8, 3, groups=8), nn.GroupNorm(2, 8)])
    before = [p.detach().clone() for p in net.parameters()]
    assert [is_matrix(p) for p in net.parameters()] == [True, False, False, False, False, False]
    optimiser = Muon(net.parameters(), 0.01, 0.0)
    for parameter in net.parameters():
        parameter.grad = torch.randn_like(parameter) * 1e-3  # whose size does not count
    optimiser.step()
    for parameter, old in zip(net.parameters(), before, strict=True):
        size = float((parameter.detach() - old).square().mean().sqrt())
        assert 0.001 < size < 0.0101, (parameter.shape, size)


def badly_scaled(net: nn.Linear, step: int) -> Losses:
    """Regression from inputs of which some are ten times as large as others."""
    draw = torch.Generator().manual_seed(step)
    x = torch.randn(64, 8, generator=draw) * torch.logspace(0, -1, 8)
    goal = x @ torch.linspace(0.5, 2, 8)[:, None].repeat(1, 4)
    return {"loss": (net(x) - goal).square().mean()}


def test_it_learns_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    net = seeded(lambda: nn.Linear(8, 4))
    schedule = Schedule(60, 0.2, warmup=2, optimiser="muon")
    whole = Run(net, RunOptions(tmp_path / "whole"), schedule)
    first = float(badly_scaled(net, 0)["loss"].detach())
    whole.train(lambda step: badly_scaled(net, step), check_every=1000, check=lambda _: {})
    assert float(badly_scaled(net, 0)["loss"].detach()) < 0.3 * first

    def cut(step: int) -> Losses:
        if step == 25 and not again:
            raise KeyboardInterrupt
        return badly_scaled(other, step)

    again = False
    other = seeded(lambda: nn.Linear(8, 4))
    try:
        Run(other, RunOptions(tmp_path / "cut"), schedule).train(cut, check_every=1000, check=lambda _: {})
    except KeyboardInterrupt:
        again = True
    other = seeded(lambda: nn.Linear(8, 4))
    Run(other, RunOptions(tmp_path / "cut"), schedule).train(cut, check_every=1000, check=lambda _: {})
    for mine, theirs in zip(other.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)
