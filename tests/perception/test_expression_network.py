# SPDX-License-Identifier: Apache-2.0
"""The expression network: its outputs, and that all of it learns."""

from __future__ import annotations

import torch

from reenact.perception.expression_network import OUTPUTS, ExpressionNet


def test_every_weight_gets_a_gradient_and_variances_stay_bounded() -> None:
    net = ExpressionNet()
    out = net(torch.rand(2, 3, 64, 64))
    assert out.mean.shape == out.log_variance.shape == (2, OUTPUTS)
    assert (out.log_variance > -9.0).all() and (out.log_variance < 3.0).all()
    (out.mean.square().sum() + out.log_variance.sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_sides_that_two_does_not_divide_are_padded_as_tensorflow_pads() -> None:
    """ "Same" padding puts the odd pixel at the end: a picture of 5 px with stride 2 gives 3 px centred on 0, 2, 4."""
    conv = ExpressionNet().trunk.stem
    conv.eval()
    with torch.no_grad():
        conv.conv.weight.zero_()
        conv.conv.weight[0, 0, 1, 1] = 1.0
        picture = torch.arange(25.0).reshape(1, 1, 5, 5).repeat(1, 3, 1, 1)
        found = conv(picture)[0, 0] * (1 + 1e-3) ** 0.5
    torch.testing.assert_close(found, picture[0, 0, ::2, ::2], rtol=1e-5, atol=1e-4)
