# SPDX-License-Identifier: Apache-2.0
"""The way to latents and back, with Wan's own VAE. Latents are normalised as the transformer is used to."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from reenact.media.errors import InputError

from .extra import AutoencoderKLWan, CLIPVisionModel

_MEAN, _DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of CLIP's pictures


def latent_count(frames: int, per_latent: int) -> int:
    """Latents of a clip: 1 + N of 1 + N x per_latent frames. Raises InputError for another number of frames."""
    if frames < 1 or (frames - 1) % per_latent:
        short = max(1, (frames - 1) // per_latent * per_latent + 1)
        raise InputError(
            f"got {frames} frames; this model wants 1 more than a multiple of {per_latent}, such as {short} or "
            f"{short + per_latent}"
        )
    return 1 + (frames - 1) // per_latent


@torch.no_grad()
def encoded(vae: AutoencoderKLWan, video: Tensor) -> Tensor:
    """[B, F, 3, S, S] from -1 to 1 as latents [B, z, T, h, w], the likeliest ones, float32."""
    posterior = vae.encode(video.transpose(1, 2).to(vae.device, vae.dtype)).latent_dist
    mean, deviation = _statistics(vae)
    return (posterior.mode().float() - mean) / deviation


@torch.no_grad()
def decoded(vae: AutoencoderKLWan, latents: Tensor) -> Tensor:
    """[B, z, T, h, w] as video [B, F, 3, S, S] from -1 to 1, float32."""
    mean, deviation = _statistics(vae)
    plain = latents.to(vae.device) * deviation + mean
    return vae.decode(plain.to(vae.dtype)).sample.transpose(1, 2).float()


def blank(vae: AutoencoderKLWan, frames: int, size: int) -> Tensor:
    """[1, z, T, h, w] of a grey clip."""
    return encoded(vae, torch.zeros(1, frames, 3, size, size))


def _statistics(vae: AutoencoderKLWan) -> tuple[Tensor, Tensor]:
    mean, deviation = (
        torch.tensor(values, device=vae.device).view(1, -1, 1, 1, 1)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    return mean, deviation


@torch.no_grad()
def image_tokens(encoder: CLIPVisionModel, photo: Tensor) -> Tensor:
    """[B, 3, S, S] from -1 to 1 as [B, n, d]: the last layer but one, as the released pipeline takes it."""
    size = encoder.config.image_size
    picture = interpolate(photo.to(encoder.device), (size, size), mode="bicubic", antialias=True, align_corners=False)
    mean, deviation = (torch.tensor(v, device=picture.device).view(1, 3, 1, 1) for v in (_MEAN, _DEVIATION))
    found = encoder((picture.clamp(-1, 1) / 2 + 0.5 - mean) / deviation, output_hidden_states=True)
    return found.hidden_states[-2].float()
