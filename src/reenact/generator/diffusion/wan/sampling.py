# SPDX-License-Identifier: Apache-2.0
"""Sampling of frames, window by window, by denoising."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reenact.media.errors import InputError
from reenact.media.tensors import read_tensors

from ..controls import Controls, Prediction
from .base import load_conditioned, load_image_encoder, load_scheduler, load_vae
from .conditioned import ConditionedWan, LatentConditions
from .extra import AutoencoderKLWan, CLIPVisionModel
from .latents import decode, encode, encode_grey, image_tokens, latent_count
from .plan import DRIVING, FRAMES, INPUTS, WanPlan

WEIGHTS = "trained.safetensors"
"""File of the trained weights in a folder that training wrote."""


class WanGenerator:
    """A trained Wan generator.

    Args:
        models: one, or Wan2.2-A14B's two, each for the noise levels of its plan.
        vae: of the pretrained model.
        scheduler: of diffusers.
        image_encoder: of Wan2.1.
        dtype: of the computation, bfloat16 or float32.

    Raises:
        InputError: a noise level has no model.
    """

    def __init__(
        self,
        models: Sequence[ConditionedWan],
        vae: AutoencoderKLWan,
        scheduler: Any,
        image_encoder: CLIPVisionModel | None = None,
        *,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.models = sorted(models, key=lambda m: m.plan.noise)
        self.vae, self.scheduler, self.image_encoder, self.dtype = vae, scheduler, image_encoder, dtype
        covered = 0.0
        for model in self.models:
            if model.plan.noise[0] > covered:
                break
            covered = model.plan.noise[1]
        if covered < 1.0:
            levels = ", ".join(f"{low} to {high}" for low, high in (m.plan.noise for m in self.models))
            raise InputError(f"the models given are for noise levels {levels}; want all from 0 to 1")
        for model in self.models:
            model.eval().requires_grad_(False)

    @classmethod
    def from_folder(cls, *folders: Path, device: torch.device, dtype: torch.dtype = torch.bfloat16) -> WanGenerator:
        """Load what training wrote, and the pretrained model that it names.

        Args:
            folders: one, or two of Wan2.2-A14B.
            device: of all parts.
            dtype: of the pretrained weights and of the computation; bfloat16 where the device has it.

        Raises:
            InputError: a folder is not of that kind, or the folders belong to different models.
        """
        plans = [WanPlan.load(folder) for folder in folders]
        base = plans[0].base
        if any(plan.base != base for plan in plans):
            raise InputError(
                f"{', '.join(map(str, folders))} were trained from different models; want one and the same"
            )
        vae = load_vae(base).to(device)
        models = [load_trained(folder, vae, dtype).to(device) for folder in folders]
        needs_encoder = any(m.transformer.config.image_dim is not None for m in models)
        encoder = load_image_encoder(base).to(device) if needs_encoder else None
        return cls(models, vae, load_scheduler(base), encoder, dtype=dtype)

    @property
    def frames_a_latent(self) -> int:
        """Frames of a latent; a window has 1 more than a multiple."""
        return int(self.vae.config.scale_factor_temporal)

    @torch.no_grad()
    def sample(
        self, controls: Controls, steps: int = 30, guidance: float = 1.0, seed: int = 0, carried: Tensor | None = None
    ) -> Tensor:
        """Sample a window; the result is the same for the same seed on one machine.

        Args:
            controls: of a window of 1 + N x 4 frames, S a multiple of a token's side.
            steps: of the scheduler.
            guidance: scale of classifier-free guidance. 1 is the conditional prediction; more extrapolates from the
                unconditional one, which has no driving inputs, and takes twice as long.
            seed: of the noise.
            carried: [B, K, 3, S, S] the window's first 1 or 5 (1 + N x 4) frames, sampled in the window before.

        Returns:
            Frames [B, F, 3, S, S] from -1 to 1.

        Raises:
            InputError: shapes do not fit.
        """
        device = self.vae.device
        controls = controls.to(device)
        reference, grey, frames, prefix = self._encode(controls, carried)
        generator = torch.Generator().manual_seed(seed)  # on the CPU: the same noise on every device
        noise, reference_noise = (torch.randn(x.shape, generator=generator).to(device) for x in (frames, reference))
        tokens = None if self.image_encoder is None else image_tokens(self.image_encoder, controls.reference)
        latents = LatentConditions(reference, reference_noise, grey, frames, prefix, tokens)
        cond = torch.ones(len(reference), len(INPUTS), device=device)
        uncond = cond * torch.tensor([float(name not in DRIVING) for name in INPUTS], device=device)
        scheduler = type(self.scheduler).from_config(self.scheduler.config)
        scheduler.set_timesteps(steps, device=device)
        x = noise
        for time, level in zip(scheduler.timesteps, scheduler.sigmas, strict=False):  # one more level than steps
            sigma = level.to(device, torch.float32).expand(len(x))
            model = next(m for m in self.models if min(float(level), 1.0) <= m.plan.noise[1])
            with torch.autocast(device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
                velocity = model(x, sigma, latents, controls, cond)
                if guidance != 1.0:
                    plain = model(x, sigma, latents, controls, uncond)
                    velocity = plain + guidance * (velocity - plain)
            # The prefix has its own straight path, so that the scheduler's history of it is right as well.
            velocity[:, :, :prefix] = (noise - frames)[:, :, :prefix]
            x = scheduler.step(velocity, time, x, return_dict=False)[0]
        return decode(self.vae, torch.cat([frames[:, :, :prefix], x[:, :, prefix:]], dim=2))

    def _encode(self, controls: Controls, carried: Tensor | None) -> tuple[Tensor, Tensor, Tensor, int]:
        """Return latents of the reference, of a grey clip and of the clip, and how many of the last are given."""
        size, side = controls.reference.shape[-1], int(self.vae.config.scale_factor_spatial) * self.models[0].patch[1]
        if size % side:
            raise InputError(f"got pictures of {size} px; want a multiple of {side}")
        count = latent_count(controls.frames, self.frames_a_latent)
        reference = encode(self.vae, controls.reference[:, None])
        grey = encode_grey(self.vae, controls.frames, size)
        frames, prefix = torch.zeros(len(reference), *grey.shape[1:], device=grey.device), 0
        if carried is not None:
            wanted = (len(reference), 3, size, size)
            if (len(carried), *carried.shape[2:]) != wanted or carried.shape[1] >= controls.frames:
                raise InputError(
                    f"got carried frames of shape {tuple(carried.shape)}; want [{len(reference)}, K, 3, {size}, "
                    f"{size}], K less than {controls.frames}"
                )
            prefix = latent_count(carried.shape[1], self.frames_a_latent)
            frames[:, :, :prefix] = encode(self.vae, carried)
        assert grey.shape[2] == count
        return reference, grey, frames, prefix


def load_trained(folder: Path, vae: AutoencoderKLWan, dtype: torch.dtype) -> ConditionedWan:
    """Load a conditioned transformer from a training run's folder.

    Args:
        folder: with config.json and WEIGHTS.
        vae: of the pretrained model.
        dtype: of the frozen weights.

    Raises:
        InputError: weights are missing or too many.
    """
    plan = WanPlan.load(folder)
    path = folder / WEIGHTS
    model = load_conditioned(plan, vae, dtype, None)
    trained, _ = read_tensors(path, "file of weights of the wan generator", "reenact train generator --preset wan")
    wanted = {n for n, p in model.named_parameters() if p.requires_grad} | {"prompt"}
    if set(trained) != wanted:
        raise InputError(
            f"{path} has {len(set(trained) - wanted)} weights too many and lacks {len(wanted - set(trained))} for the "
            f"model that config.json beside it describes; want what training wrote"
        )
    model.load_state_dict(trained, strict=False)
    return model


class WanPredictor:
    """See controls.Predictor.

    Args:
        generator: the trained model.
        steps: see WanGenerator.sample.
        guidance: see WanGenerator.sample.
        seed: see WanGenerator.sample.
        size: see controls.Predictor.
        window: 1 more than a multiple of 4 frames.
    """

    def __init__(
        self, generator: WanGenerator, *, steps: int, guidance: float, seed: int, size: int = 512, window: int = FRAMES
    ) -> None:
        self._generator, self._steps, self._guidance, self._seed = generator, steps, guidance, seed
        self.size, self.window = size, window
        self.overlap = generator.frames_a_latent + 1

    def predict(self, controls: Controls, previous: Tensor | None) -> Prediction:
        """See controls.Predictor. The last frame of a window too short for whole latents is repeated."""
        count, each = controls.frames, self._generator.frames_a_latent
        padded = controls.repeat_last(-(count - 1) % each)
        carried = None if previous is None else previous[None]
        frames = self._generator.sample(padded, self._steps, self._guidance, self._seed, carried)[0, :count]
        return Prediction(frames, torch.zeros_like(frames[:, :2]))
