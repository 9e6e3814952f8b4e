# SPDX-License-Identifier: Apache-2.0
"""Where the compact network changes the warp: not where nothing moved, hues in and around lips only, without grids."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from made_controls import FRAMES, SMALL, made_controls, trained
from torch import Tensor

from reenact.generator.diffusion.compact.flow import Sampling, sample
from reenact.generator.diffusion.compact.network import CompactNet
from reenact.head.regions import REGIONS


@pytest.fixture
def net() -> Iterator[CompactNet]:
    with torch.no_grad():
        yield trained()


def test_what_has_not_moved_stays_as_it_is(net: CompactNet) -> None:
    controls = made_controls(side=96)
    warped = controls.reference[:, None].repeat(1, FRAMES, 1, 1, 1)
    output = sample(net, replace(controls, warped=warped), Sampling())
    torch.testing.assert_close(output.clean, warped, atol=1e-5, rtol=0)
    warped[:, 1, :, :20, :20] += 0.2  # in one corner of one frame
    output = sample(net, replace(controls, warped=warped), Sampling())
    change = (output.clean - warped).abs()
    assert change[:, 1, :, :20, :20].mean() > 0.01
    assert change[:, 1, :, 60:, 60:].max() < 1e-5
    assert change[:, [0, 2]].max() < 1e-5


def test_beyond_the_head_there_is_displacement_without_residual(net: CompactNet) -> None:
    controls = made_controls(side=96)
    regions = torch.full_like(controls.regions, 255)
    regions[..., :32, :] = REGIONS.index("skin")
    output = sample(net, replace(controls, regions=regions), Sampling())
    assert output.residual[..., :32, :].abs().mean() > 0.01
    assert output.residual[..., 44:, :].abs().max() == 0
    assert output.displacement[..., 12:, :].abs().mean() > 0.01
    assert (output.clean - controls.warped)[..., 44:, :].abs().mean() > 0.01


def test_beside_lips_and_mouth_the_residual_adds_no_hue(net: CompactNet) -> None:
    """A stain on a collar was a hue that the shirt never had: there colours only grow darker, or lighter all alike."""
    controls = made_controls(side=96)
    regions = torch.full_like(controls.regions, REGIONS.index("neck"))
    regions[..., 60:, :] = REGIONS.index("lips")
    output = sample(net, replace(controls, regions=regions), Sampling())
    residual, displaced = output.residual, output.clean - output.residual
    share = 1.0 + residual / (displaced + 1.0).clamp(min=1e-3)  # of the light that was there, colour by colour
    skin, lips = (slice(None), slice(None), slice(0, 48)), (slice(None), slice(None), slice(64, 96))

    def spread(colours: Tensor) -> Tensor:
        return colours.amax(2) - colours.amin(2)

    lit = (displaced > -0.8).all(2)
    darker, lighter = ((residual * sign > 1e-4).all(2) & lit for sign in (-1.0, 1.0))
    assert darker[skin].sum() > 500 < lighter[skin].sum()
    assert (spread(share) * darker)[skin].max() < 1e-3
    assert (spread(residual) * lighter)[skin].max() < 1e-5
    assert spread(residual)[skin].mean() < 0.5 * spread(residual)[lips].mean()
    assert (residual.abs().mean(2) * lit)[skin].mean() > 0.01


def test_there_is_no_grid_in_mouths(net: CompactNet) -> None:
    """Pixels that are unfolded from one place are independent: unsmoothed they repeat every 4 px."""
    controls = made_controls(side=96)
    regions = torch.full_like(controls.regions, REGIONS.index("skin"))
    regions[..., 32:80, 32:80] = REGIONS.index("tongue")
    with torch.no_grad():
        net.last.weight.zero_()
        assert net.last.bias is not None
        net.last.bias.normal_(generator=torch.Generator().manual_seed(0))  # nothing but a grid
    residual = sample(net, replace(controls, regions=regions), Sampling()).residual
    assert torch.diff(residual[..., 36:76, 36:76], dim=-1).abs().max() < 1e-2  # but for the motion gate
    assert torch.diff(residual[..., :28, :28], dim=-1).abs().mean() > 0.1
    unknown = CompactNet(replace(SMALL, inputs=("photo", "normals", "warped"))).eval()
    unknown.load_state_dict(net.state_dict())
    other = sample(unknown, replace(controls, regions=regions), Sampling()).residual
    assert torch.diff(other[..., 36:76, 36:76], dim=-1).abs().mean() > 0.1  # without regions there is no mouth mask
