# SPDX-License-Identifier: Apache-2.0
"""Wan's windows, as `animate` asks for them."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("diffusers")

from reenact.generator.diffusion.generator import blend_windows
from reenact.generator.diffusion.wan.base import load_conditioned, load_scheduler, load_vae
from reenact.generator.diffusion.wan.latents import decode, encode
from reenact.generator.diffusion.wan.plan import WanPlan
from reenact.generator.diffusion.wan.sampling import WanGenerator, WanPredictor
from tests.made_wan import made_controls, save_base


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> WanGenerator:
    base = str(save_base(tmp_path_factory.mktemp("base")))
    vae = load_vae(base)
    model = load_conditioned(WanPlan(base, rank=2, width=4), vae, torch.float32, None)
    return WanGenerator([model], vae, load_scheduler(base))


def test_a_window_of_any_length_is_predicted(generator: WanGenerator) -> None:
    """A latent is 4 frames: the last frame is repeated to whole ones, and the repetitions are left out."""
    predictor = WanPredictor(generator, steps=2, guidance=1.0, seed=0, size=32, window=9)
    for frames in (1, 4, 5):
        prediction = predictor.predict(made_controls(frames=frames), None)
        assert prediction.clean.shape == (frames, 3, 32, 32)
        assert prediction.displacement.abs().max() == 0


def test_windows_of_a_long_clip_begin_with_frames_of_the_one_before(generator: WanGenerator) -> None:
    predictor = WanPredictor(generator, steps=2, guidance=1.0, seed=0, size=32, window=10 + 3)
    assert predictor.overlap == 5
    first = predictor.predict(made_controls(frames=9), None).clean
    carried = first[-predictor.overlap :]
    second = predictor.predict(made_controls(1, frames=9), carried).clean
    as_the_vae_returns_them = decode(generator.vae, encode(generator.vae, carried[None]))[0]
    torch.testing.assert_close(second[: predictor.overlap], as_the_vae_returns_them, atol=1e-3, rtol=0)
    alone = predictor.predict(made_controls(1, frames=9), None).clean
    assert (alone[: predictor.overlap] - as_the_vae_returns_them).abs().mean() > 0.01
    found = list(blend_windows(20, predictor.window, predictor.overlap, lambda at, n: torch.full((n, 1), float(at))))
    assert [n for n, _ in found] == list(range(20))
