# SPDX-License-Identifier: Apache-2.0
"""The Wan generator on very small models of the same classes, and on the released shapes without their weights."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch

pytest.importorskip("diffusers")
pytest.importorskip("peft")

from reenact.generator.diffusion.controls import Controls
from reenact.generator.diffusion.wan.base import load_conditioned, load_scheduler, load_vae
from reenact.generator.diffusion.wan.conditioned import ConditionedWan, LatentConditions
from reenact.generator.diffusion.wan.encoders import Grid, PoseEncoder
from reenact.generator.diffusion.wan.extra import required
from reenact.generator.diffusion.wan.latents import decode, encode, encode_grey, latent_count
from reenact.generator.diffusion.wan.plan import INPUTS, WanPlan
from reenact.generator.diffusion.wan.sampling import WanGenerator
from reenact.lab.training.wan import drawn_sigma, region_weights
from reenact.media.errors import InputError
from tests.generator.released_wan import RELEASED, conditioned_on_meta, weights_by_part
from tests.made_wan import SIZE, Kind, made_controls, noise, save_base, stirred

KINDS: tuple[Kind, ...] = ("wan2.1", "a14b", "5b")
ALL = torch.ones(1, len(INPUTS))


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[Kind, Path]:
    root = tmp_path_factory.mktemp("bases")
    return {kind: save_base(root / kind, kind) for kind in KINDS}


vae_of = cache(load_vae)


def conditioned(base: Path, **plan: object) -> ConditionedWan:
    torch.manual_seed(1)
    whole = replace(WanPlan(str(base), rank=2, width=8), **plan)  # pyright: ignore[reportArgumentType] fields by name
    return load_conditioned(whole, vae_of(str(base)), torch.float32, None).eval()


def latents(prefix: int = 0, seed: int = 11) -> LatentConditions:
    reference, reference_noise = noise(1, 4, 1, 4, 4, seed=seed), noise(1, 4, 1, 4, 4, seed=seed + 1)
    return LatentConditions(
        reference, reference_noise, noise(1, 4, 2, 4, 4, seed=2), noise(1, 4, 2, 4, 4, seed=3), prefix
    )


@torch.no_grad()
def velocity(
    model: ConditionedWan,
    controls: Controls,
    input_mask: torch.Tensor = ALL,
    conditions: LatentConditions | None = None,
) -> torch.Tensor:
    return model(noise(1, 4, 2, 4, 4, seed=5), torch.tensor([0.7]), conditions or latents(), controls, input_mask)


@pytest.mark.parametrize("kind", KINDS)
def test_untrained_it_is_the_pretrained_model_making_a_clip_that_starts_with_the_reference(
    bases: dict[Kind, Path], kind: Kind
) -> None:
    """Of which the whole input is written out here, as the released pipeline makes it."""
    from diffusers import WanTransformer3DModel

    plain = WanTransformer3DModel.from_pretrained(bases[kind], subfolder="transformer").eval()
    conditions, noisy, sigma = latents(), noise(1, 4, 2, 4, 4, seed=5), 0.7
    prompt, image = torch.zeros(1, 512, 8), torch.zeros(1, 1, 16) if kind == "wan2.1" else None
    if kind == "5b":
        x = torch.cat([conditions.reference, noisy], dim=2)
        time = torch.tensor([[0.0] * 4 + [1000 * sigma] * 8])
    else:
        clip = torch.cat([(1 - sigma) * conditions.reference + sigma * conditions.reference_noise, noisy], dim=2)
        mask = torch.zeros(1, 4, 3, 4, 4)
        mask[:, :, 0] = 1.0
        x = torch.cat([clip, mask, torch.cat([conditions.reference, conditions.grey], dim=2)], dim=1)
        time = torch.tensor([1000 * sigma])
    with torch.no_grad():
        (wanted,) = plain(x, time, prompt, image, return_dict=False)
    assert torch.equal(velocity(conditioned(bases[kind]), made_controls(size=SIZE[kind])), wanted[:, :, 1:])


PARTS = {
    "photo": ("reference",),
    "photo_normals": ("reference_normals",),
    "photo_regions": ("reference_regions",),
    "warped": ("warped", "visibility"),
    "normals": ("normals",),
    "regions": ("regions",),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", INPUTS)
def test_each_input_has_an_effect_once_trained_and_none_when_left_out(
    bases: dict[Kind, Path], kind: Kind, name: str
) -> None:
    model = conditioned(bases[kind])
    stirred(model)
    one, other = (made_controls(seed, size=SIZE[kind]) for seed in (0, 1))
    changed = replace(one, **{part: getattr(other, part) for part in PARTS[name]})
    off = ALL.clone()
    off[:, INPUTS.index(name)] = 0.0
    assert not torch.allclose(velocity(model, one), velocity(model, changed), atol=1e-4)
    assert torch.equal(velocity(model, one, off), velocity(model, changed, off))
    without = velocity(model, one, off)
    model.plan = replace(model.plan, inputs=tuple(n for n in INPUTS if n != name))
    assert torch.equal(velocity(model, changed), without)


@pytest.mark.parametrize("kind", KINDS)
def test_the_reference_left_out_is_left_out_of_its_latents_too(bases: dict[Kind, Path], kind: Kind) -> None:
    model = conditioned(bases[kind])
    conditions, other = latents(seed=11), replace(latents(seed=11), reference=noise(1, 4, 1, 4, 4, seed=20))
    off = ALL.clone()
    off[:, INPUTS.index("photo")] = 0.0
    controls = made_controls(size=SIZE[kind])
    assert torch.equal(velocity(model, controls, off, conditions), velocity(model, controls, off, other))
    assert not torch.equal(velocity(model, controls, ALL, conditions), velocity(model, controls, ALL, other))


def test_a_latent_does_not_depend_on_frames_after_its_own() -> None:
    torch.manual_seed(0)
    encoder = PoseEncoder(Grid(frames=4, pixels=8, patch=2), dim=6, width=8)
    stirred(encoder)
    one, other = made_controls(0, frames=13), made_controls(1, frames=13)
    for first in range(1, 13):
        later = {
            name: torch.cat([getattr(one, name)[:, :first], getattr(other, name)[:, first:]], dim=1)
            for name in ("warped", "normals", "regions", "visibility")
        }
        with torch.no_grad():
            a, b = encoder(one, ALL), encoder(replace(one, **later), ALL)
        assert a.shape == (1, 6, 4, 2, 2)
        same = [torch.equal(a[:, :, i], b[:, :, i]) for i in range(4)]
        assert same == [4 * i < first for i in range(4)]  # latent i ends with frame 4 i


@pytest.mark.parametrize("kind", ["a14b", "5b"])
def test_sampling_is_the_same_for_a_seed_and_keeps_what_is_carried_over(bases: dict[Kind, Path], kind: Kind) -> None:
    base = str(bases[kind])
    model, vae = conditioned(bases[kind]), vae_of(base)
    stirred(model)
    generator = WanGenerator([model], vae, load_scheduler(base))
    controls = made_controls(frames=9, size=SIZE[kind])
    first = generator.sample(controls, steps=2, guidance=1.5, seed=4)
    assert first.shape == (1, 9, 3, SIZE[kind], SIZE[kind]) and first.abs().max() <= 1.0
    assert torch.equal(first, generator.sample(controls, steps=2, guidance=1.5, seed=4))
    assert not torch.equal(first, generator.sample(controls, steps=2, guidance=1.5, seed=5))
    assert not torch.equal(first, generator.sample(controls, steps=2, guidance=3.0, seed=4))
    for count in (1, 5):
        carried = first[:, -count:]
        after = generator.sample(controls, steps=2, seed=6, carried=carried)
        # the VAE is causal: the frames carried over come back as it alone would return them
        torch.testing.assert_close(after[:, :count], decode(vae, encode(vae, carried)), atol=1e-4, rtol=0)
        assert not torch.equal(after[:, count:], generator.sample(controls, steps=2, seed=6)[:, count:])


def test_a_model_that_knows_the_velocity_is_followed_to_the_clip(bases: dict[Kind, Path]) -> None:
    """Scheduler, noise and latents belong together: with the true velocity, the clip itself comes out."""
    base = str(bases["a14b"])
    vae, controls = vae_of(base), made_controls(frames=5)
    clip = encode(vae, controls.warped)

    class Knowing(ConditionedWan):
        def forward(self, noisy, sigma, latents, controls, input_mask):  # pyright: ignore[reportMissingParameterType] as above
            return (noisy - clip) / sigma[:, None, None, None, None]

    transformer = conditioned(bases["a14b"]).transformer
    knowing = Knowing(transformer, 4, 4, 8, WanPlan(base, rank=0, width=8))
    found = WanGenerator([knowing], vae, load_scheduler(base)).sample(controls, steps=5)
    torch.testing.assert_close(found, decode(vae, clip), atol=1e-3, rtol=0)


def test_two_models_share_the_noise_levels_and_a_gap_is_refused(bases: dict[Kind, Path]) -> None:
    base = str(bases["a14b"])
    high = conditioned(bases["a14b"], noise=(0.9, 1.0))
    low, vae = conditioned(bases["a14b"], noise=(0.0, 0.9)), vae_of(base)
    one = WanGenerator([conditioned(bases["a14b"])], vae, load_scheduler(base))
    both = WanGenerator([high, low], vae, load_scheduler(base))
    assert torch.equal(both.sample(made_controls(), steps=4), one.sample(made_controls(), steps=4))
    with pytest.raises(InputError, match=r"noise levels 0\.9 to 1\.0; want all from 0 to 1"):
        WanGenerator([high], vae, load_scheduler(base))


def test_noise_levels_are_spread_as_the_scheduler_spreads_its_steps(bases: dict[Kind, Path]) -> None:
    scheduler = load_scheduler(str(bases["a14b"]))
    scheduler.set_timesteps(1000)
    drawn = drawn_sigma(20000, 3.0, (0.0, 1.0), torch.Generator().manual_seed(0)).sort().values
    quantiles = drawn[torch.arange(1, 10) * 2000]
    wanted = scheduler.sigmas[:1000].sort().values[torch.arange(1, 10) * 100]
    torch.testing.assert_close(quantiles, wanted, atol=0.01, rtol=0)
    some = drawn_sigma(1000, 3.0, (0.9, 1.0), torch.Generator().manual_seed(0))
    assert 0.9 <= float(some.min()) < 0.91 and 0.99 < float(some.max()) <= 1.0


def test_latents_count_more_where_mouth_and_eyes_are() -> None:
    regions = torch.full((1, 9, 32, 32), 255, dtype=torch.uint8)
    regions[:, 1:5, :8, :8] = 4  # lips, in the second latent alone
    regions[:, :, 24:, 24:] = 8  # an iris throughout
    weights = region_weights(regions, (4, 8), mouth=3.0, eyes=2.0)
    assert weights.shape == (1, 1, 3, 4, 4) and float(weights.mean()) == pytest.approx(1.0)
    relative = weights[0, 0] / weights[0, 0, 0, 1, 1]
    assert relative[1, 0, 0] == 3.0 and relative[0, 0, 0] == relative[2, 0, 0] == 1.0
    assert bool((relative[:, 3, 3] == 2.0).all())


def test_a_clip_is_a_latent_and_one_for_every_four_frames_more(bases: dict[Kind, Path]) -> None:
    vae = vae_of(str(bases["a14b"]))
    assert encode_grey(vae, 9, 32).shape == (1, 4, 3, 4, 4)
    assert [latent_count(n, 4) for n in (1, 5, 77, 81)] == [1, 2, 20, 21]
    with pytest.raises(InputError, match=r"got 8 frames; .* such as 5 or 9"):
        latent_count(8, 4)


def test_bad_input_is_refused_in_a_sentence(bases: dict[Kind, Path], tmp_path: Path) -> None:
    base = str(bases["a14b"])
    generator = WanGenerator([conditioned(bases["a14b"])], vae_of(base), load_scheduler(base))
    with pytest.raises(InputError, match="got pictures of 24 px; want a multiple of 16"):
        generator.sample(made_controls(size=24))
    with pytest.raises(InputError, match=r"carried frames of shape \(1, 5, 3, 32, 32\); want .* K less than 5"):
        generator.sample(made_controls(), carried=made_controls().warped)
    with pytest.raises(InputError, match="want a folder that training wrote"):
        WanGenerator.from_folder(tmp_path, device=torch.device("cpu"))
    with pytest.raises(InputError, match="does not exist; want a folder of a Wan model, or its hub id"):
        load_vae(str(tmp_path / "nowhere"))
    (tmp_path / "vae").mkdir()
    with pytest.raises(InputError, match=r"vae/config\.json does not exist; want a Wan model in diffusers' layout"):
        load_vae(str(tmp_path))
    path = bases["a14b"] / "transformer" / "config.json"
    text = path.read_text()
    try:
        path.write_text(json.dumps(json.loads(text) | {"in_channels": 4, "image_dim": None}))
        transformer = conditioned(bases["5b"]).transformer
        with pytest.raises(InputError, match="takes 4 channels, and its VAE has 16: not an image-to-video model"):
            ConditionedWan(transformer, 16, 4, 8, WanPlan("text-to-video"))
    finally:
        path.write_text(text)
    with pytest.raises(InputError, match=r"pip install 'reenact\[generator\]'"):
        required("diffusers.nothing_of_this_name")


@pytest.mark.parametrize("name", RELEASED)
def test_the_released_shapes_are_filled_and_every_weight_is_accounted_for(name: str) -> None:
    released = RELEASED[name]
    model = conditioned_on_meta(released, rank=32)
    assert all(p.is_meta for p in model.parameters())
    parts = weights_by_part(model)
    total = sum(p.numel() for p in model.parameters())
    assert sum(parts.values()) == total
    assert parts["pretrained"] == pytest.approx(released.parameters, rel=0.005)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trainable == total - parts["pretrained"]
    assert parts["LoRA"] + parts["reference encoder"] + parts["pose encoder"] == trainable < 0.05 * total
