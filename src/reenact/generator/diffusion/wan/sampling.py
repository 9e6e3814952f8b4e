# SPDX-License-Identifier: Apache-2.0
"""Frames of one window: noise, taken away step by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reenact.media.errors import InputError
from reenact.media.tensors import read_tensors

from ..controls import Controls, Paint
from .base import load_conditioned, load_image_encoder, load_scheduler, load_vae
from .conditioned import ConditionedWan, Given
from .extra import AutoencoderKLWan, CLIPVisionModel
from .latents import blank, decoded, encoded, image_tokens, latent_count
from .plan import DRIVING, FRAMES, INPUTS, WanPlan

WEIGHTS = "trained.safetensors"


class WanGenerator:
    """A trained Wan generator. `models`: one, or Wan2.2-A14B's two, each for the noise levels of its plan.

    Raises InputError if they leave a noise level to none.
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
        """dtype: in which the work is done, bfloat16 or float32."""
        self.models = sorted(models, key=lambda m: m.plan.noise)
        self.vae, self.scheduler, self.image_encoder, self.dtype = vae, scheduler, image_encoder, dtype
        reached = 0.0
        for model in self.models:
            if model.plan.noise[0] > reached:
                break
            reached = model.plan.noise[1]
        if reached < 1.0:
            levels = ", ".join(f"{low} to {high}" for low, high in (m.plan.noise for m in self.models))
            raise InputError(f"the models given are for noise levels {levels}; want all from 0 to 1")
        for model in self.models:
            model.eval().requires_grad_(False)

    @classmethod
    def from_folder(cls, *folders: Path, device: torch.device, dtype: torch.dtype = torch.bfloat16) -> WanGenerator:
        """From what training wrote, and the pretrained model that it names. Raises InputError.

        folders: one, or two of Wan2.2-A14B. dtype: of the pretrained weights and of the work;
        bfloat16 where the device has it.
        """
        plans = [WanPlan.load(folder) for folder in folders]
        base = plans[0].base
        if any(plan.base != base for plan in plans):
            raise InputError(
                f"{', '.join(map(str, folders))} were trained from different models; want one and the same"
            )
        vae = load_vae(base).to(device)
        models = [load_trained(folder, vae, dtype).to(device) for folder in folders]
        images = any(m.transformer.config.image_dim is not None for m in models)
        encoder = load_image_encoder(base).to(device) if images else None
        return cls(models, vae, load_scheduler(base), encoder, dtype=dtype)

    @property
    def frames_a_latent(self) -> int:
        """A window has 1 more frame than a multiple of this."""
        return int(self.vae.config.scale_factor_temporal)

    @torch.no_grad()
    def sample(
        self, controls: Controls, steps: int = 30, guidance: float = 1.0, seed: int = 0, carried: Tensor | None = None
    ) -> Tensor:
        """[B, F, 3, S, S] from -1 to 1; the same for the same seed, on one machine.

        controls: of a window of 1 + N x 4 frames, S a multiple of a token's side. guidance: 1 follows the model; more
        goes further away from what it makes when not told the performance, and takes twice as long. carried:
        [B, K, 3, S, S] the window's first frames, made earlier, 1 or 5 of them (1 + N x 4). Raises InputError.
        """
        device = self.vae.device
        controls = controls.to(device)
        photo, grey, frames, known = self._start(controls, carried)
        draw = torch.Generator().manual_seed(seed)  # on the CPU: the same on every device
        noise, photo_noise = (torch.randn(x.shape, generator=draw).to(device) for x in (frames, photo))
        tokens = None if self.image_encoder is None else image_tokens(self.image_encoder, controls.photo)
        given = Given(photo, photo_noise, grey, frames, known, tokens)
        on = torch.ones(len(photo), len(INPUTS), device=device)
        off = on * torch.tensor([float(name not in DRIVING) for name in INPUTS], device=device)
        scheduler = type(self.scheduler).from_config(self.scheduler.config)
        scheduler.set_timesteps(steps, device=device)
        x = noise
        for time, level in zip(scheduler.timesteps, scheduler.sigmas, strict=False):  # one more level than steps
            sigma = level.to(device, torch.float32).expand(len(x))
            model = next(m for m in self.models if min(float(level), 1.0) <= m.plan.noise[1])
            with torch.autocast(device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
                velocity = model(x, sigma, given, controls, on)
                if guidance != 1.0:
                    plain = model(x, sigma, given, controls, off)
                    velocity = plain + guidance * (velocity - plain)
            # what is known goes its own straight way, so that the scheduler's memory of it is right as well
            velocity[:, :, :known] = (noise - frames)[:, :, :known]
            x = scheduler.step(velocity, time, x, return_dict=False)[0]
        return decoded(self.vae, torch.cat([frames[:, :, :known], x[:, :, known:]], dim=2))

    def _start(self, controls: Controls, carried: Tensor | None) -> tuple[Tensor, Tensor, Tensor, int]:
        """Latents of the photo, of a grey clip, of the clip as far as it is known, and how many of it are."""
        size, side = controls.photo.shape[-1], int(self.vae.config.scale_factor_spatial) * self.models[0].patch[1]
        if size % side:
            raise InputError(f"got pictures of {size} px; want a multiple of {side}")
        count = latent_count(controls.frames, self.frames_a_latent)
        photo = encoded(self.vae, controls.photo[:, None])
        grey = blank(self.vae, controls.frames, size)
        frames, known = torch.zeros(len(photo), *grey.shape[1:], device=grey.device), 0
        if carried is not None:
            wanted = (len(photo), 3, size, size)
            if (len(carried), *carried.shape[2:]) != wanted or carried.shape[1] >= controls.frames:
                raise InputError(
                    f"got carried frames of shape {tuple(carried.shape)}; want [{len(photo)}, K, 3, {size}, {size}], "
                    f"K less than {controls.frames}"
                )
            known = latent_count(carried.shape[1], self.frames_a_latent)
            frames[:, :, :known] = encoded(self.vae, carried)
        assert grey.shape[2] == count
        return photo, grey, frames, known


def load_trained(folder: Path, vae: AutoencoderKLWan, dtype: torch.dtype) -> ConditionedWan:
    """A conditioned transformer as it was trained. Raises InputError if weights are missing or too many."""
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


class WanPainter:
    """See controls.Painter. steps, guidance, seed: see WanGenerator.sample. window: 1 more than a multiple of 4."""

    def __init__(
        self, generator: WanGenerator, *, steps: int, guidance: float, seed: int, size: int = 512, window: int = FRAMES
    ) -> None:
        self._generator, self._steps, self._guidance, self._seed = generator, steps, guidance, seed
        self.size, self.window = size, window
        self.overlap = generator.frames_a_latent + 1

    def paint(self, controls: Controls, before: Tensor | None) -> Paint:
        """A last window that is too short for whole latents is painted with its last frame held."""
        count, each = controls.frames, self._generator.frames_a_latent
        padded = controls.held(-(count - 1) % each)
        carried = None if before is None else before[None]
        frames = self._generator.sample(padded, self._steps, self._guidance, self._seed, carried)[0, :count]
        return Paint(frames, torch.zeros_like(frames[:, :2]))
