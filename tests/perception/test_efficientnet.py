# SPDX-License-Identifier: Apache-2.0
"""The trunk of the networks that look at faces: its pyramid is what its whole forward goes through."""

from __future__ import annotations

import pytest
import torch

from reenact.perception.efficientnet import FEATURES, WIDTHS, EfficientNetLite0


def test_the_pyramid_halves_the_picture_five_times() -> None:
    net = EfficientNetLite0().eval()
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        levels = net.pyramid(picture)
        assert net.top is not None
        features = torch.relu(net.top(levels[-1])).clamp(max=6).mean((2, 3))
        torch.testing.assert_close(net(picture), features)
    assert [tuple(level.shape[1:]) for level in levels] == [(c, 32 >> i, 32 >> i) for i, c in enumerate(WIDTHS)]
    assert features.shape == (1, FEATURES)


def test_a_trunk_without_top_has_no_features_of_whole_pictures() -> None:
    with pytest.raises(ValueError, match="top=True"):
        EfficientNetLite0(top=False)(torch.rand(1, 3, 64, 64))


def test_bfloat16_of_autocast_stays_near_single_precision() -> None:
    torch.manual_seed(0)
    net = EfficientNetLite0().eval()
    picture = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        exact = net(picture)
        with torch.autocast("cpu", torch.bfloat16):
            rough = net(picture).float()
    assert (rough - exact).abs().mean() < 0.05 * exact.abs().mean() + 1e-4
