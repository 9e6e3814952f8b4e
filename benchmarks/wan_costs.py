# SPDX-License-Identifier: Apache-2.0
"""What the Wan generator would cost: python -m benchmarks.wan_costs

Worked out from the released models' shapes, on torch's meta device: no weights are needed, and nothing is measured but
the number of weights. Memory and time of a real run are for a real run to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from reenact.generator.diffusion.wan.conditioned import PROMPT_TOKENS, ConditionedWan
from reenact.generator.diffusion.wan.extra import required
from reenact.generator.diffusion.wan.plan import WanPlan

GIB, TERA = 2**30, 1e12
SIZE = 512
_IMAGE_TOKENS = 257  # of Wan2.1's CLIP


@dataclass(frozen=True)
class Released:
    """A released model: its transformer's configuration, and what its VAE makes of a clip."""

    config: dict[str, Any]
    vae: dict[str, Any]
    parameters: float
    """Of the transformer, as its files hold; a check on the configuration."""


_BIG = {"num_attention_heads": 40, "attention_head_dim": 128, "num_layers": 40, "ffn_dim": 13824, "out_channels": 16}
_SMALL = {"num_attention_heads": 24, "attention_head_dim": 128, "num_layers": 30, "ffn_dim": 14336, "out_channels": 48}
_IMAGE = {"image_dim": 1280, "added_kv_proj_dim": 5120}
_VAE = {"base_dim": 96, "z_dim": 16, "scale_factor_spatial": 8}
_VAE_5B = {
    "base_dim": 160,
    "decoder_base_dim": 256,
    "z_dim": 48,
    "is_residual": True,
    "in_channels": 12,
    "out_channels": 12,
    "patch_size": 2,
    "scale_factor_spatial": 16,
}
RELEASED = {
    "Wan2.1-I2V-14B": Released({**_BIG, "in_channels": 36, **_IMAGE}, _VAE, 16.4e9),
    "Wan2.2-I2V-A14B, each of 2": Released({**_BIG, "in_channels": 36}, _VAE, 14.3e9),
    "Wan2.2-TI2V-5B": Released({**_SMALL, "in_channels": 48}, _VAE_5B, 5.0e9),
}


@dataclass(frozen=True)
class StepCosts:
    """Of one window through the transformer."""

    forward: float
    """Floating-point operations, two to a multiplication and addition."""
    kept: float
    """Numbers kept for the way back without checkpointing."""
    kept_checkpointed: float


def model_of(released: Released, rank: int) -> ConditionedWan:
    """Without memory, on the meta device."""
    with torch.device("meta"):
        transformer = required("diffusers").WanTransformer3DModel(**released.config)
        vae = released.vae
        return ConditionedWan(transformer, vae["z_dim"], 4, vae["scale_factor_spatial"], WanPlan("meta", rank=rank))


def vae_weights(released: Released) -> int:
    """How many the VAE has."""
    with torch.device("meta"):
        return sum(p.numel() for p in required("diffusers").AutoencoderKLWan(**released.vae).parameters())


def added(model: ConditionedWan) -> dict[str, int]:
    """How many weights are whose."""
    found = {"pretrained": 0, "LoRA": 0, "reference encoder": 0, "pose encoder": 0}
    names = {"reference": "reference encoder", "pose": "pose encoder"}
    for name, parameter in model.named_parameters():
        part = names.get(name.split(".")[0], "LoRA" if ".lora_" in name else "pretrained")
        found[part] += parameter.numel()
    return found


def tokens_of(released: Released, frames: int) -> int:
    """Of a window and the photo."""
    return (2 + (frames - 1) // 4) * (SIZE // (2 * released.vae["scale_factor_spatial"])) ** 2


def step_costs(config: Mapping[str, Any], tokens: int, prompt: int) -> StepCosts:
    """config: of the transformer. prompt: tokens of text and image that it attends to."""
    dim, ffn, layers = (
        config["num_attention_heads"] * config["attention_head_dim"],
        config["ffn_dim"],
        config["num_layers"],
    )
    patch = 4
    attention = 2 * (4 * tokens * dim**2) + 4 * tokens**2 * dim
    across = 2 * (2 * tokens * dim**2 + 2 * prompt * dim**2) + 4 * tokens * prompt * dim
    block = attention + across + 2 * (2 * tokens * dim * ffn)
    ends = 2 * tokens * dim * patch * (config["in_channels"] + config["out_channels"])
    text = 2 * prompt * (config["text_dim"] * dim + dim**2)
    # of a block: 3 normed inputs, q, k, v and their normed and turned selves, two attentions' results, residuals; and
    # twice the feed-forward's width, before and after its nonlinearity
    kept = tokens * (18 * dim + 2 * ffn)
    return StepCosts(layers * block + ends + text, layers * kept, layers * tokens * dim + kept)


def main() -> None:
    """Print the table of docs/generator-wan.md."""
    rank, rows = 32, []
    for name, released in RELEASED.items():
        model = model_of(released, rank)
        parts, config = added(model), model.transformer.config
        whole = sum(parts.values())
        learned = whole - parts["pretrained"]
        prompt = PROMPT_TOKENS + (_IMAGE_TOKENS if config.image_dim else 0)
        costs = {
            frames: (tokens_of(released, frames), step_costs(config, tokens_of(released, frames), prompt))
            for frames in (77, 81)
        }
        step = costs[77][1]
        rows.append(
            {
                "": name,
                "weights, pretrained": f"{parts['pretrained'] / 1e9:.2f} G",
                "LoRA of rank 32": f"{parts['LoRA'] / 1e6:.0f} M",
                "reference encoder": f"{parts['reference encoder'] / 1e6:.1f} M",
                "pose encoder": f"{parts['pose encoder'] / 1e6:.1f} M",
                "frozen weights, bfloat16": f"{2 * parts['pretrained'] / GIB:.1f} GiB",
                "VAE, float32": f"{4 * vae_weights(released) / GIB:.1f} GiB",
                "trained: weights, gradients, Adam, average, float32": f"{20 * learned / GIB:.1f} GiB",
                "the same if all weights are trained": f"{20 * whole / GIB:.0f} GiB",
                "tokens of a window, 77 / 81 frames": f"{costs[77][0]:,} / {costs[81][0]:,}",
                "activations kept, 77 frames, about": f"{2 * step.kept / GIB:.0f} GiB",
                "the same with checkpointing": f"{2 * step.kept_checkpointed / GIB:.1f} GiB",
                "forward, 77 / 81 frames": " / ".join(f"{costs[f][1].forward / TERA:,.0f}" for f in costs) + " TFLOP",
                "training step with LoRA, checkpointing": f"{3 * step.forward / TERA:,.0f} TFLOP",
                "30 steps of sampling, a frame": f"{30 * step.forward / 77 / TERA:,.0f} TFLOP",
                "the same with guidance": f"{60 * step.forward / 77 / TERA:,.0f} TFLOP",
                "30 steps, 77 frames, at 400 TFLOP/s": f"{30 * step.forward / 400 / TERA:,.0f} s",
                "30,000 training steps at 400 TFLOP/s": f"{30_000 * 3 * step.forward / 400 / TERA / 3600:,.0f} h",
            }
        )
    for key in rows[0]:
        print("| " + " | ".join([key, *(row[key] for row in rows)]) + " |")
        if not key:
            print("|---" * (1 + len(rows)) + "|")


if __name__ == "__main__":
    main()
