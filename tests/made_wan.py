# SPDX-License-Identifier: Apache-2.0
"""Very small models of Wan's own classes, untrained, in the layout in which the real ones are released."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from reenact.generator.diffusion.controls import Controls, HeadImages
from reenact.lab.training.data.scenes import save_scene

Kind = Literal["wan2.1", "a14b", "5b"]
SIZE: dict[Kind, int] = {"wan2.1": 32, "a14b": 32, "5b": 64}
"""Side of pictures of 2 x 2 tokens."""
TEXT = 8


def save_base(folder: Path, kind: Kind = "a14b") -> Path:
    """A transformer of 2 layers and 2 heads of 12, a VAE of 4 channels, a scheduler, and Wan2.1's image encoder."""
    from diffusers import (
        AutoencoderKLWan,
        FlowMatchEulerDiscreteScheduler,
        UniPCMultistepScheduler,
        WanTransformer3DModel,
    )

    torch.manual_seed(3)
    transformer = WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=4 if kind == "5b" else 12,
        out_channels=4,
        text_dim=TEXT,
        freq_dim=32,
        ffn_dim=32,
        num_layers=2,
        rope_max_seq_len=32,
        image_dim=16 if kind == "wan2.1" else None,
        added_kv_proj_dim=24 if kind == "wan2.1" else None,
    )
    transformer.save_pretrained(folder / "transformer")
    other = kind == "5b"
    vae = AutoencoderKLWan(
        base_dim=4,
        is_residual=other,
        patch_size=2 if other else None,
        in_channels=12 if other else 3,
        out_channels=12 if other else 3,
        scale_factor_spatial=16 if other else 8,
        z_dim=4,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        latents_mean=[0.1, -0.2, 0.0, 0.3],
        latents_std=[0.5, 0.6, 0.7, 0.8],
    )
    vae.save_pretrained(folder / "vae")
    if kind == "5b":
        scheduler = FlowMatchEulerDiscreteScheduler(shift=5.0)
    else:
        scheduler = UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, num_train_timesteps=1000, flow_shift=3.0
        )
    scheduler.save_pretrained(folder / "scheduler")
    if kind == "wan2.1":
        from transformers import CLIPVisionConfig, CLIPVisionModel

        config = CLIPVisionConfig(
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=16,
            patch_size=8,
        )
        CLIPVisionModel(config).save_pretrained(folder / "image_encoder")
    return folder


def bytes_of(seed: int, frames: int, size: int = 32) -> dict[str, list[np.ndarray]]:
    """Images of a scene: noise, with every label somewhere."""
    draw = np.random.default_rng(seed)

    def colours() -> np.ndarray:
        return draw.integers(0, 256, (size, size, 3), dtype=np.uint8)

    def labels() -> np.ndarray:
        return draw.choice(np.array([*range(13), 255], np.uint8), (size, size))

    pictures = {name: [colours() for _ in range(frames)] for name in ("frames", "warped", "normals")}
    pictures["regions"] = [labels() for _ in range(frames)]
    pictures["visibility"] = [draw.choice(np.array([0, 255], np.uint8), (size, size)) for _ in range(frames)]
    pictures |= {"photo": [colours()], "photo_normals": [colours()], "photo_regions": [labels()]}
    return pictures


def made_scene(path: Path, seed: int, runs: tuple[int, ...], size: int = 32) -> Path:
    """A scene file."""
    pictures = bytes_of(seed, sum(runs), size)
    save_scene(path, pictures, np.zeros((sum(runs), 478, 2)), runs, {"person": f"noise {seed}"})
    return path


def made_controls(seed: int = 0, frames: int = 5, size: int = 32) -> Controls:
    """One clip (B = 1)."""
    images = {name: [torch.from_numpy(x) for x in values] for name, values in bytes_of(seed, frames, size).items()}
    regions = images["photo_regions"][0]
    reference_head = HeadImages(images["photo_normals"][0], regions, regions)
    heads = [HeadImages(*(images[name][i] for name in ("normals", "regions", "visibility"))) for i in range(frames)]
    return Controls.from_images(images["photo"][0], reference_head, images["warped"], heads)


def stirred(model: torch.nn.Module, seed: int = 7) -> None:
    """What is zero at the beginning, as if something had been learned."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad and not parameter.any():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=draw))


def noise(*shape: int, seed: int = 11) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
