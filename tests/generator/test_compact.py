# SPDX-License-Identifier: Apache-2.0
"""The compact generator: its network, its flow, its windows, and compositing at the reference's resolution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_controls import SMALL, made_controls, trained
from torch import Tensor

from reenact.generator.diffusion.compact.blocks import HEAD, grid_rotary, rotate
from reenact.generator.diffusion.compact.encoders import INPUTS
from reenact.generator.diffusion.compact.flow import Sampling, sample
from reenact.generator.diffusion.compact.network import (
    CompactConfig,
    CompactNet,
    CompactOutput,
    Conditions,
    displace,
)
from reenact.generator.diffusion.compact.weights import load_compact, save_compact
from reenact.generator.diffusion.controls import Controls, HeadImages, colours_to_float
from reenact.generator.diffusion.generator import blend_windows, composite
from reenact.head.regions import MOUTH_INTERIOR, REGIONS, region_ids
from reenact.media import InputError, SquareCrop
from reenact.media.tensors import write_weights

OUTSIDE = [n for n in range(13) if n not in region_ids(*MOUTH_INTERIOR)]


@pytest.fixture
def net() -> Iterator[CompactNet]:
    with torch.no_grad():
        yield trained()


def test_untrained_it_predicts_the_start() -> None:
    controls = made_controls()
    output = sample(CompactNet(SMALL), controls, Sampling(steps=3))
    torch.testing.assert_close(output.clean, controls.warped, atol=1e-5, rtol=0)
    assert output.residual.abs().max() == 0
    without = CompactConfig(SMALL.widths, SMALL.depth, ("photo", "normals"))
    output = sample(CompactNet(without), controls, Sampling())
    torch.testing.assert_close(output.clean, controls.reference[:, None].expand_as(output.clean), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", INPUTS)
def test_an_input_has_an_effect_unless_it_is_left_out(net: CompactNet, name: str) -> None:
    controls, other = made_controls(0), made_controls(1)
    if name == "warped":  # beside lips the residual keeps the hue of the warp
        lips = torch.full_like(controls.regions, REGIONS.index("lips"))
        controls, other = replace(controls, regions=lips), replace(other, regions=lips)
    frames, time = torch.zeros_like(controls.warped), torch.full((2,), 0.5)
    fields = {
        "photo": ("reference",),
        "normals": ("normals", "reference_normals"),
        "regions": ("regions", "reference_regions"),
        "warped": ("warped",),
        "visibility": ("visibility",),
    }[name]
    changed = replace(controls, **{field: getattr(other, field) for field in fields})
    if name == "regions":  # masks of the residual come from the regions, whatever inputs are used
        outer = torch.isin(controls.regions, torch.tensor(OUTSIDE, dtype=torch.uint8))
        changed = replace(changed, regions=torch.where(outer, OUTSIDE[0], controls.regions))

    def residual(some: Controls, inputs: frozenset[str]) -> Tensor:
        return net(frames, time, net.conditions(some, inputs)).residual[..., 8:-8, 8:-8]  # lips fade at the border

    every = frozenset(INPUTS)
    assert (residual(controls, every) - residual(changed, every)).abs().max() > 1e-4
    less = every - {name}
    if name == "photo":  # its head goes with it
        changed = replace(changed, reference_normals=other.reference_normals, reference_regions=other.reference_regions)
    torch.testing.assert_close(residual(controls, less), residual(changed, less))


def test_clips_of_a_batch_are_independent_but_frames_of_a_clip_are_not(net: CompactNet) -> None:
    controls = made_controls()
    normals = controls.normals.clone()
    normals[1, 0] = 0.0
    changed = replace(controls, normals=normals)
    frames, time = torch.zeros_like(controls.warped), torch.zeros(2)
    before = net(frames, time, net.conditions(controls)).residual
    after = net(frames, time, net.conditions(changed)).residual
    torch.testing.assert_close(before[0], after[0])
    assert (before[1] - after[1]).abs().amax((1, 2, 3)).min() > 1e-5


def test_attention_depends_on_the_distance_of_patches_not_on_their_places() -> None:
    """The axiom of rotary positions: a product of rotated vectors depends on the difference of their places."""
    draw = torch.Generator().manual_seed(0)
    q, k = torch.randn(2, 1, 1, 1, HEAD, generator=draw)
    rotations = grid_rotary(6, 6, torch.device("cpu"))

    def product(a: int, b: int) -> float:
        return float((rotate(q, rotations[a : a + 1]) * rotate(k, rotations[b : b + 1])).sum())

    assert product(0, 8) == pytest.approx(product(14, 22), abs=1e-4)
    assert abs(product(0, 8) - product(0, 7)) > 1e-3


def test_displacing_by_whole_pixels_moves_the_picture() -> None:
    picture = torch.rand(1, 1, 3, 32, 32)
    displacement = torch.zeros(1, 1, 2, 8, 8)
    torch.testing.assert_close(displace(picture, displacement), picture, atol=1e-5, rtol=0)
    displacement[:, :, 0] = 3.0
    torch.testing.assert_close(displace(picture, displacement)[..., :-3], picture[..., 3:], atol=1e-4, rtol=0)
    large = torch.rand(1, 1, 3, 64, 64)  # on a picture of twice the size it is twice as many px
    torch.testing.assert_close(displace(large, displacement)[..., :-6], large[..., 6:], atol=1e-4, rtol=0)


def test_displacing_by_half_a_pixel_hardly_blurs() -> None:
    """Stripes of four pixels: bilinear sampling would leave 0.71 of their contrast."""
    x = torch.arange(64) + 0.5
    stripes = torch.sin(torch.pi / 2 * x).expand(1, 1, 3, 64, 64)
    shifted = displace(stripes, torch.stack([torch.full((1, 1, 16, 16), v) for v in (0.5, 0.0)], 2))
    inner = (..., slice(8, -8), slice(8, -8))
    assert shifted[inner].square().mean() > 0.9**2 * stripes[inner].square().mean()


def test_the_pose_encoder_has_the_difference_to_the_reference(net: CompactNet) -> None:
    controls = made_controls(0)
    other = replace(controls, reference=made_controls(1).reference)
    every = frozenset(INPUTS)
    fine, changed = net.pose(controls, every)[0], net.pose(other, every)[0]
    assert (fine - changed).abs().max() > 1e-3
    for left_out in ("photo", "warped"):
        torch.testing.assert_close(net.pose(controls, every - {left_out})[0], net.pose(other, every - {left_out})[0])


def test_guidance_extrapolates_from_the_unconditional_prediction(net: CompactNet) -> None:
    controls = made_controls(batch=1)
    cond = sample(net, controls, Sampling(steps=1, guidance=1.0)).clean
    uncond = sample(net, controls, Sampling(steps=1, guidance=0.0)).clean
    doubled = sample(net, controls, Sampling(steps=1, guidance=2.0)).clean
    assert (cond - uncond).abs().max() > 1e-3
    torch.testing.assert_close(doubled, 2 * cond - uncond, atol=1e-4, rtol=0)


def test_steps_follow_straight_lines_at_even_times() -> None:
    """Each begins on a straight line from the place before to the last prediction."""
    steps: list[tuple[float, Tensor]] = []

    class Recording(CompactNet):
        def forward(self, frames: Tensor, time: Tensor, conditions: Conditions) -> CompactOutput:
            steps.append((float(time), frames))
            output = super().forward(frames, time, conditions)
            return replace(output, clean=torch.full_like(output.clean, float(len(steps))))

    controls = made_controls(batch=1)
    final = sample(Recording(SMALL), controls, Sampling(steps=4)).clean
    assert [time for time, _ in steps] == [0.0, 0.25, 0.5, 0.75]
    at = controls.warped
    torch.testing.assert_close(steps[0][1], at)
    for number in range(1, 4):
        then, now = steps[number - 1][0], steps[number][0]
        at = at + (now - then) / (1.0 - then) * (number - at)
        torch.testing.assert_close(steps[number][1], at)
    assert (final == 4.0).all()


def test_no_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Sampling(steps=0)


def test_weights_come_back_with_their_configuration(tmp_path: Path, net: CompactNet) -> None:
    path = tmp_path / "compact.safetensors"
    save_compact(net.state_dict(), SMALL, path)
    read = load_compact(path, torch.device("cpu"))
    assert read.config == SMALL
    controls = made_controls(batch=1)
    a, b = (sample(n, controls, Sampling()).clean for n in (net, read))
    torch.testing.assert_close(a, b, atol=2e-2, rtol=0)  # half precision


def test_a_file_of_other_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"not a tensor in sight")
    with pytest.raises(InputError, match=r"other\.safetensors is not a readable file of weights of the compact"):
        load_compact(path, torch.device("cpu"))


@pytest.mark.parametrize(
    ("about", "said"),
    [
        (None, r"metadata has no config that fits \('config'\)"),
        ({"config": '{"widths": [8, 16, 65], "depth": 2, "inputs": []}'}, "transformer's width is 65"),
        ({"config": '{"widths": [8, 16, 64], "depth": 3, "inputs": ["photo"]}'}, "missing: "),
    ],
)
def test_weights_of_another_network_are_refused(tmp_path: Path, about: dict[str, str] | None, said: str) -> None:
    write_weights(tmp_path / "w.safetensors", CompactNet(SMALL).state_dict(), about)
    with pytest.raises(InputError, match=rf"w\.safetensors holds no weights of the compact generator.*{said}"):
        load_compact(tmp_path / "w.safetensors", torch.device("cpu"))


@pytest.mark.parametrize(("count", "window", "overlap"), [(1, 8, 2), (8, 8, 2), (9, 8, 2), (31, 8, 3), (20, 5, 0)])
def test_windows_give_every_frame_once_and_in_order(count: int, window: int, overlap: int) -> None:
    longest = 0

    def predict(first: int, number: int) -> Tensor:
        nonlocal longest
        longest = max(longest, number)
        return torch.arange(first, first + number).float()[:, None]

    found = list(blend_windows(count, window, overlap, predict))
    assert [n for n, _ in found] == list(range(count))
    assert longest <= window
    torch.testing.assert_close(torch.cat([x for _, x in found]), torch.arange(count).float())  # blends of equals


def test_overlapping_windows_are_cross_faded() -> None:
    numbers = iter(range(100))
    found = [float(x) for _, x in blend_windows(10, 6, 2, lambda first, n: torch.full((n, 1), float(next(numbers))))]
    assert found == pytest.approx([0, 0, 0, 0, 1 / 3, 2 / 3, 1, 1, 1, 1])


def test_windows_that_do_not_advance_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        list(blend_windows(10, 4, 3, lambda first, n: torch.zeros(n, 1)))


class TestComposite:
    """A prediction in a larger image."""

    SIZE, SIDE, WHOLE = 64, 160, 200
    SQUARE = SquareCrop(20, 30, SIDE, SIZE)

    def picture(self) -> np.ndarray:
        return np.random.default_rng(0).integers(0, 256, (self.WHOLE, self.WHOLE, 3), dtype=np.uint8)

    def head(self, visibility: int) -> HeadImages:
        shape = (self.SIZE, self.SIZE)
        return HeadImages(
            torch.zeros(*shape, 3, dtype=torch.uint8),
            torch.zeros(shape, dtype=torch.uint8),
            torch.full(shape, visibility, dtype=torch.uint8),
        )

    def composite(self, picture: np.ndarray, clean: Tensor, displacement: Tensor, head: HeadImages) -> np.ndarray:
        return composite(torch.from_numpy(picture), self.SQUARE, clean, displacement, head).numpy()

    def own(self, picture: np.ndarray) -> Tensor:
        return colours_to_float(torch.from_numpy(self.SQUARE.extract(picture)))

    @pytest.mark.parametrize("visibility", [0, 255])
    def test_a_prediction_that_changes_nothing_leaves_the_picture(self, visibility: int) -> None:
        picture = self.picture()
        displacement = torch.zeros(2, self.SIZE, self.SIZE)
        out = self.composite(picture, self.own(picture), displacement, self.head(visibility))
        inner = (slice(45, 175), slice(35, 165))  # pixels at the square's edge are resampled with what is beyond it
        assert np.abs(out.astype(int) - picture)[inner].max() <= 1

    def test_fine_detail_is_kept_only_where_the_reference_shows_the_head(self) -> None:
        picture = self.picture()
        displacement = torch.zeros(2, self.SIZE, self.SIZE)
        grey = torch.zeros(3, self.SIZE, self.SIZE)
        visible = self.composite(picture, grey, displacement, self.head(255))[80:140, 70:130].astype(float)
        hidden = self.composite(picture, grey, displacement, self.head(0))[80:140, 70:130].astype(float)
        assert visible.std() > 30
        assert hidden.std() < 2
        assert hidden.mean() == pytest.approx(127.5, abs=1)

    def test_nothing_changes_outside_of_the_square_and_its_edge_is_soft(self) -> None:
        picture = np.full((self.WHOLE, self.WHOLE, 3), 40, np.uint8)
        white = torch.ones(3, self.SIZE, self.SIZE)
        out = self.composite(picture, white, torch.zeros(2, self.SIZE, self.SIZE), self.head(255)).astype(int)
        outside = np.ones(out.shape[:2], bool)
        outside[30:190, 20:180] = False
        assert (out[outside] == 40).all()
        assert np.abs(np.diff(out[110, :, 0])).max() < 40
        assert out[110, 100, 0] == 255

    def test_eyes_stay_as_the_warp_renders_them(self) -> None:
        picture = np.full((self.WHOLE, self.WHOLE, 3), 40, np.uint8)
        head = self.head(255)
        head.regions[20:30, 20:30] = region_ids("iris")[0]
        white, still = torch.ones(3, self.SIZE, self.SIZE), torch.zeros(2, self.SIZE, self.SIZE)
        out = self.composite(picture, white, still, head).astype(int)
        assert (out[82:103, 72:93] == 40).all()  # 2.5 px of the picture are one of the prediction's
        assert (out[115:140, 105:130] == 255).all()
