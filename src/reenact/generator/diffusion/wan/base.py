# SPDX-License-Identifier: Apache-2.0
"""The pretrained parts, from a folder in diffusers' layout or from the hub."""

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

_HUB_PARTS = 2  # of a hub id: owner/name


def load_vae(base: str) -> AutoencoderKLWan:
    """In float32: rounded to bfloat16 it shows banding. Raises InputError."""
    return _loaded("diffusers", "AutoencoderKLWan", base, "vae", torch.float32).requires_grad_(False).eval()


def load_scheduler(base: str) -> Any:
    """The scheduler that the checkpoint names. Raises InputError if it is not one for flows."""
    diffusers = required("diffusers")
    config = _loaded("diffusers", "FlowMatchEulerDiscreteScheduler", base, "scheduler", None, method="load_config")
    name = config["_class_name"]
    if name == "FlowMatchEulerDiscreteScheduler" or config.get("use_flow_sigmas"):
        return getattr(diffusers, name).from_config(config)
    raise InputError(f"{base}/scheduler is {name} without flow sigmas; want one that Wan was released with")


def shift_of(scheduler: Any) -> float:
    """How far the scheduler moves its steps towards noise."""
    config = scheduler.config
    return float(config.flow_shift if "flow_shift" in config else config.shift)


def load_image_encoder(base: str) -> CLIPVisionModel:
    """The CLIP of Wan2.1-I2V. Raises InputError."""
    encoder = _loaded("transformers", "CLIPVisionModel", base, "image_encoder", None)
    return encoder.float().requires_grad_(False).eval()


def load_prompt(path: Path, width: int) -> Tensor:
    """[1, 512, d] from `prompt_embeds` ([n, d] or [1, n, d]) of a safetensors file. Raises InputError."""
    tensors, _ = read_tensors(path, "file of a prompt's embedding")
    found = tensors.get("prompt_embeds")
    shape = None if found is None else tuple(found.shape)
    if found is None or found.shape[-1] != width or found.numel() > PROMPT_TOKENS * width:
        raise InputError(f"{path} has prompt_embeds of shape {shape}; want [n, {width}], n up to {PROMPT_TOKENS}")
    tokens = found.reshape(-1, width).float()
    return torch.nn.functional.pad(tokens, (0, 0, 0, PROMPT_TOKENS - len(tokens)))[None]


def load_conditioned(plan: WanPlan, vae: AutoencoderKLWan, dtype: torch.dtype, prompt: Path | None) -> ConditionedWan:
    """The pretrained transformer with what is added to it, nothing of which has been learned. Raises InputError.

    dtype: of the weights that stay frozen.
    """
    transformer = _loaded("diffusers", "WanTransformer3DModel", plan.base, plan.subfolder, dtype)
    text = None if prompt is None else load_prompt(prompt, transformer.config.text_dim)
    config = vae.config
    return ConditionedWan(
        transformer, config.z_dim, config.scale_factor_temporal, config.scale_factor_spatial, plan, text
    )


def _loaded(
    package: str, name: str, base: str, subfolder: str, dtype: torch.dtype | None, method: str = "from_pretrained"
) -> Any:
    kind = getattr(required(package), name)
    file = "scheduler_config.json" if subfolder == "scheduler" else "config.json"
    folder = Path(base)
    if folder.is_dir() and not (folder / subfolder / file).is_file():
        raise InputError(f"{folder / subfolder / file} does not exist; want a Wan model in diffusers' layout")
    if not folder.is_dir() and len(base.split("/")) != _HUB_PARTS:
        raise InputError(f"{base} does not exist; want a folder of a Wan model, or its hub id")
    options = {} if dtype is None else {"torch_dtype": dtype}
    try:
        return getattr(kind, method)(base, subfolder=subfolder, **options)
    except (OSError, ValueError) as error:
        first = str(error).strip().split("\n")[0]
        raise InputError(
            f"{subfolder} of {base} cannot be loaded ({first}); want a Wan image-to-video model"
        ) from error
