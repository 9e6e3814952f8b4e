# SPDX-License-Identifier: Apache-2.0
"""Released Wan models by their shapes, on torch's meta device: no weights and no memory are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from reenact.generator.diffusion.wan.conditioned import ConditionedWan
from reenact.generator.diffusion.wan.extra import required
from reenact.generator.diffusion.wan.plan import WanPlan


@dataclass(frozen=True)
class ReleasedWan:
    """Configuration of a released model's transformer, and the shape of its VAE's latents."""

    config: dict[str, Any]
    latent_channels: int
    latent_stride: int  # px a side of one latent
    parameters: float
    """Weights of the transformer according to its files, a check on the configuration."""


_BIG = {"num_attention_heads": 40, "attention_head_dim": 128, "num_layers": 40, "ffn_dim": 13824, "out_channels": 16}
_SMALL = {"num_attention_heads": 24, "attention_head_dim": 128, "num_layers": 30, "ffn_dim": 14336, "out_channels": 48}
_IMAGE = {"image_dim": 1280, "added_kv_proj_dim": 5120}
RELEASED = {
    "Wan2.1-I2V-14B": ReleasedWan({**_BIG, "in_channels": 36, **_IMAGE}, 16, 8, 16.4e9),
    "Wan2.2-I2V-A14B, each of 2": ReleasedWan({**_BIG, "in_channels": 36}, 16, 8, 14.3e9),
    "Wan2.2-TI2V-5B": ReleasedWan({**_SMALL, "in_channels": 48}, 48, 16, 5.0e9),
}


def conditioned_on_meta(released: ReleasedWan, rank: int) -> ConditionedWan:
    """Build the conditioned model of a released shape with LoRA of a rank."""
    with torch.device("meta"):
        transformer = required("diffusers").WanTransformer3DModel(**released.config)
        plan = WanPlan("meta", rank=rank)
        return ConditionedWan(transformer, released.latent_channels, 4, released.latent_stride, plan)


def weights_by_part(model: ConditionedWan) -> dict[str, int]:
    """Count the weights of the pretrained model, of LoRA and of both encoders."""
    counts = {"pretrained": 0, "LoRA": 0, "reference encoder": 0, "pose encoder": 0}
    names = {"reference": "reference encoder", "pose": "pose encoder"}
    for name, parameter in model.named_parameters():
        part = names.get(name.split(".")[0], "LoRA" if ".lora_" in name else "pretrained")
        counts[part] += parameter.numel()
    return counts
