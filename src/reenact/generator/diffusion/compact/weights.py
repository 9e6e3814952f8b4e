# SPDX-License-Identifier: Apache-2.0
"""The compact network's weights: a safetensors file whose metadata holds the configuration."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from reenact.media import InputError
from reenact.media.files import existing_file, written_beside

from .network import CompactConfig, CompactNet


def shipped_weights() -> Path:
    """The file that the package ships; assets/compact.md says what it was trained on."""
    return Path(str(files("reenact") / "assets" / "compact.safetensors"))


def save_compact(weights: dict[str, Tensor], config: CompactConfig, path: Path) -> None:
    """Write weights in half precision; beside the target first."""
    halves = {k: v.detach().half().contiguous().cpu() for k, v in weights.items()}
    with written_beside(path) as partial:
        save_file(halves, partial, metadata={"config": json.dumps(asdict(config))})


def load_compact(path: Path, device: torch.device) -> CompactNet:
    """The network. Raises InputError if the file is not one of its weights."""
    existing_file(path, "weights of the compact generator")
    try:
        with safe_open(path, framework="pt") as file:
            stored = json.loads((file.metadata() or {})["config"])
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        net = CompactNet(CompactConfig(tuple(stored["widths"]), stored["depth"], tuple(stored["inputs"])))
        net.load_state_dict(weights)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path} holds no weights of the compact generator ({str(error).splitlines()[0]}); want a file that "
            "`reenact train generator --preset compact` wrote"
        ) from error
    return net.to(device).eval()


def best_device() -> torch.device:
    """The accelerator if there is one."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
