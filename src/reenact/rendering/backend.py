# SPDX-License-Identifier: Apache-2.0
"""The choice between the plain torch reference and the warp kernels."""

from __future__ import annotations

import functools
import importlib.util
from typing import Literal

import torch
from torch import Tensor

Backend = Literal["auto", "torch", "warp"]
"""auto: warp where it is installed, knows the device, and no gradient is wanted; torch otherwise."""


@functools.cache
def _warp_is_installed() -> bool:
    """Whether warp-lang can be imported (it is not imported by asking)."""
    return importlib.util.find_spec("warp") is not None


def choose(backend: Backend, *inputs: Tensor) -> Literal["torch", "warp"]:
    """Settle the backend for these inputs; raises ValueError if warp is asked for a gradient or a device it
    lacks."""
    wants_gradient = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)
    device = inputs[0].device.type
    if backend == "torch":
        return "torch"
    if backend == "warp":
        if wants_gradient:
            raise ValueError("the warp backend carries no gradient; use backend 'torch', or detach the inputs")
        if device not in ("cpu", "cuda"):
            raise ValueError(f"the warp backend runs on cpu and cuda, not on {device}; use backend 'torch'")
        return "warp"
    if backend == "auto":
        suited = device in ("cpu", "cuda") and not wants_gradient
        return "warp" if suited and _warp_is_installed() else "torch"
    raise ValueError(f"backend must be 'auto', 'torch' or 'warp', got {backend!r}")
