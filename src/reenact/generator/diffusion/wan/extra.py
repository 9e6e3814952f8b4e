# SPDX-License-Identifier: Apache-2.0
"""What the Wan generator needs beyond the main path: imported only when used."""

from __future__ import annotations

from typing import Any

from reenact.media import lazy

# Classes of the extra. Any, because `config` and `to` of diffusers' models are typed such that no use of them passes.
AutoencoderKLWan = Any
WanTransformer3DModel = Any
CLIPVisionModel = Any


def required(module: str) -> Any:
    """A module of the `generator` extra. Raises InputError, naming the command that mends it, if it is missing."""
    return lazy.required(module, "generator", "the wan generator")
