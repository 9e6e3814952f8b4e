# SPDX-License-Identifier: Apache-2.0
"""Packages of the `generator` extra, imported when they are used."""

from __future__ import annotations

from typing import Any

from reenact.media import lazy

# Classes of the extra. They are Any, because the types of `config` and `to` of diffusers' models allow no use of them.
AutoencoderKLWan = Any
WanTransformer3DModel = Any
CLIPVisionModel = Any


def required(module: str) -> Any:
    """Import a module of the `generator` extra. Raises InputError with the command that installs it if missing."""
    return lazy.required(module, "generator", "the wan generator")
