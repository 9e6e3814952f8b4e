# SPDX-License-Identifier: Apache-2.0
"""The compact network's weights: a safetensors file whose metadata holds the configuration."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from reenact.media import InputError
from reenact.media.files import asset
from reenact.media.tensors import fill, read_tensors, write_weights

from .network import CompactConfig, CompactNet

ASSET = asset("compact.safetensors")
"""The weights that the package ships; assets/compact.md says what they were trained on."""
_WRITTEN_BY = "reenact train generator --preset compact"


def save_compact(weights: dict[str, Tensor], config: CompactConfig, path: Path) -> None:
    """Write weights in half precision, first to a temporary file beside the target."""
    write_weights(path, weights, {"config": json.dumps(asdict(config))})


def load_compact(path: Path, device: torch.device) -> CompactNet:
    """Load the network. Raises InputError if the file is not one of its weights."""
    weights, about = read_tensors(path, "file of weights of the compact generator", _WRITTEN_BY)
    try:
        stored = json.loads(about["config"])
        net = CompactNet(CompactConfig(tuple(stored["widths"]), stored["depth"], tuple(stored["inputs"])))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} holds no weights of the compact generator: its metadata has no config that fits "
            f"({str(error).splitlines()[0]}); want a file that `{_WRITTEN_BY}` wrote"
        ) from error
    fill(net, weights, path, "compact generator", _WRITTEN_BY)
    return net.to(device).eval()
