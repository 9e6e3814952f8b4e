# SPDX-License-Identifier: Apache-2.0
"""What the Wan generator needs beyond the main path: imported only when used."""

from __future__ import annotations

import importlib
from typing import Any

from reenact.media.errors import InputError

# Classes of the extra. Any, because `config` and `to` of diffusers' models are typed such that no use of them passes.
AutoencoderKLWan = Any
WanTransformer3DModel = Any
CLIPVisionModel = Any


def required(module: str) -> Any:
    """A module of the `generator` extra. Raises InputError, naming the command that mends it, if it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{module} is not installed, but the wan generator needs it: pip install 'reenact[generator]'"
        ) from error
