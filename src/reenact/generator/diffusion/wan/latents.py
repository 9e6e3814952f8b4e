# SPDX-License-Identifier: Apache-2.0
"""Encoding and decoding of latents with Wan's own VAE. Latents are normalised as the transformer expects them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from reenact.media.errors import InputError

from .extra import AutoencoderKLWan, CLIPVisionModel


def latent_count(frames: int, per_latent: int) -> int:
    """Return the latent frames of a clip: 1 + N for 1 + N x per_latent frames.

    Raises InputError for another number of frames.
    """
    if frames < 1 or (frames - 1) % per_latent:
        short = max(1, (frames - 1) // per_latent * per_latent + 1)
        raise InputError(
            f"got {frames} frames; this model wants 1 more than a multiple of {per_latent}, such as {short} or "
            f"{short + per_latent}"
        )
    return 1 + (frames - 1) // per_latent


@torch.no_grad()
def encode(vae: AutoencoderKLWan, video: Tensor) -> Tensor:
    """Encode video [B, F, 3, S, S] from -1 to 1 as latents [B, z, T, h, w] float32, the modes of the posterior."""
    posterior = vae.encode(video.transpose(1, 2).to(vae.device, vae.dtype)).latent_dist
    mean, deviation = _statistics(vae)
    return (posterior.mode().float() - mean) / deviation


@torch.no_grad()
def decode(vae: AutoencoderKLWan, latents: Tensor) -> Tensor:
    """Decode latents [B, z, T, h, w] to video [B, F, 3, S, S] float32 from -1 to 1."""
    mean, deviation = _statistics(vae)
    plain = latents.to(vae.device) * deviation + mean
    return vae.decode(plain.to(vae.dtype)).sample.transpose(1, 2).float()


def encode_grey(vae: AutoencoderKLWan, frames: int, size: int) -> Tensor:
    """Return latents [1, z, T, h, w] of a grey clip, which stands for frames that are not given."""
    return encode(vae, torch.zeros(1, frames, 3, size, size))


def _statistics(vae: AutoencoderKLWan) -> tuple[Tensor, Tensor]:
    mean, deviation = (
        torch.tensor(values, device=vae.device).view(1, -1, 1, 1, 1)
        for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    return mean, deviation


@torch.no_grad()
def image_tokens(encoder: CLIPVisionModel, image: Tensor) -> Tensor:
    """Encode an image [B, 3, S, S] from -1 to 1 as tokens [B, n, d].

    They are those of the last layer but one, as in the released pipeline.
    """
    size = encoder.config.image_size
    small = interpolate(image.to(encoder.device), (size, size), mode="bicubic", antialias=True, align_corners=False)
    # Mean and standard deviation of the images that CLIP was trained on.
    statistics = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    mean, deviation = (torch.tensor(v, device=small.device).view(1, 3, 1, 1) for v in statistics)
    output = encoder((small.clamp(-1, 1) / 2 + 0.5 - mean) / deviation, output_hidden_states=True)
    return output.hidden_states[-2].float()
