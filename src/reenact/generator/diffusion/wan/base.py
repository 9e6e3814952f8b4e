# SPDX-License-Identifier: Apache-2.0
"""Loading of the pretrained parts, from a folder in diffusers' layout or from the hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reenact.media.errors import InputError
from reenact.media.tensors import read_tensors

from .conditioned import PROMPT_TOKENS, ConditionedWan
from .extra import AutoencoderKLWan, CLIPVisionModel, required
from .plan import WanPlan


def load_vae(base: str) -> AutoencoderKLWan:
    """Load the VAE in float32: rounded to bfloat16 it shows banding. Raises InputError."""
    return _load("diffusers", "AutoencoderKLWan", base, "vae", torch.float32).requires_grad_(False).eval()


def load_scheduler(base: str) -> Any:
    """Load the scheduler that the checkpoint names. Raises InputError if it is not one for flows."""
    diffusers = required("diffusers")
    config = _load("diffusers", "FlowMatchEulerDiscreteScheduler", base, "scheduler", None, method="load_config")
    name = config["_class_name"]
    if name == "FlowMatchEulerDiscreteScheduler" or config.get("use_flow_sigmas"):
        return getattr(diffusers, name).from_config(config)
    raise InputError(f"{base}/scheduler is {name} without flow sigmas; want one that Wan was released with")


def flow_shift(scheduler: Any) -> float:
    """Return how far the scheduler shifts its steps towards noise."""
    config = scheduler.config
    return float(config.flow_shift if "flow_shift" in config else config.shift)


def load_image_encoder(base: str) -> CLIPVisionModel:
    """Load the CLIP of Wan2.1-I2V. Raises InputError."""
    encoder = _load("transformers", "CLIPVisionModel", base, "image_encoder", None)
    return encoder.float().requires_grad_(False).eval()


def _load_prompt(path: Path, width: int) -> Tensor:
    """Load an embedding [1, 512, width] from `prompt_embeds` ([n, width] or [1, n, width]) of a safetensors file.

    Raises InputError.
    """
    tensors, _ = read_tensors(path, "file of a prompt's embedding")
    embeds = tensors.get("prompt_embeds")
    shape = None if embeds is None else tuple(embeds.shape)
    if embeds is None or embeds.shape[-1] != width or embeds.numel() > PROMPT_TOKENS * width:
        raise InputError(f"{path} has prompt_embeds of shape {shape}; want [n, {width}], n up to {PROMPT_TOKENS}")
    tokens = embeds.reshape(-1, width).float()
    return torch.nn.functional.pad(tokens, (0, 0, 0, PROMPT_TOKENS - len(tokens)))[None]


def load_conditioned(plan: WanPlan, vae: AutoencoderKLWan, dtype: torch.dtype, prompt: Path | None) -> ConditionedWan:
    """Load the pretrained transformer and add untrained encoders and LoRA.

    Args:
        plan: of the generator.
        vae: of the pretrained model.
        dtype: of the frozen weights.
        prompt: see `_load_prompt`; None for zeros.

    Raises:
        InputError: a part cannot be loaded, or is not that of an image-to-video model.
    """
    transformer = _load("diffusers", "WanTransformer3DModel", plan.base, plan.subfolder, dtype)
    text = None if prompt is None else _load_prompt(prompt, transformer.config.text_dim)
    config = vae.config
    return ConditionedWan(
        transformer, config.z_dim, config.scale_factor_temporal, config.scale_factor_spatial, plan, text
    )


def _load(
    package: str, name: str, base: str, subfolder: str, dtype: torch.dtype | None, method: str = "from_pretrained"
) -> Any:
    kind = getattr(required(package), name)
    file = "scheduler_config.json" if subfolder == "scheduler" else "config.json"
    folder = Path(base)
    if folder.is_dir() and not (folder / subfolder / file).is_file():
        raise InputError(f"{folder / subfolder / file} does not exist; want a Wan model in diffusers' layout")
    if not folder.is_dir() and len(base.split("/")) != 2:
        raise InputError(f"{base} does not exist; want a folder of a Wan model, or its hub id")
    options = {} if dtype is None else {"torch_dtype": dtype}
    try:
        return getattr(kind, method)(base, subfolder=subfolder, **options)
    except (OSError, ValueError) as error:
        first = str(error).strip().split("\n")[0]
        raise InputError(
            f"{subfolder} of {base} cannot be loaded ({first}); want a Wan image-to-video model"
        ) from error
