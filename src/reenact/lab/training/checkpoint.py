# SPDX-License-Identifier: Apache-2.0
"""Tensors in a folder of small safetensors files, and a json beside them; replaced whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import Tensor

from reenact.media.tensors import read_tensors, write_tensors

_STATE = "state.json"
_MOST_BYTES = 12_000_000
"""Of one file, unless a tensor alone is larger: some places let nothing larger through."""


def save_checkpoint(folder: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write tensors and state. state.json names the files and is replaced last: an interruption leaves the old ones."""
    groups: list[dict[str, Tensor]] = []
    room = 0
    for name, tensor in tensors.items():
        if not groups or room < tensor.nbytes:
            groups.append({})
            room = _MOST_BYTES
        groups[-1][name] = tensor
        room -= tensor.nbytes
    old = _state(folder).get("files", [])
    turn = "b" if any(name.startswith("a-") for name in old) else "a"
    files = [f"{turn}-{i:02}.safetensors" for i in range(len(groups))]
    for name, group in zip(files, groups, strict=True):
        write_tensors(folder / name, group)
    partial = folder / f".{_STATE}.partial"
    partial.write_text(json.dumps({**state, "files": files}), encoding="utf-8")
    partial.replace(folder / _STATE)
    for name in old:
        (folder / name).unlink(missing_ok=True)


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What is in the folder; None if nothing is."""
    state = _state(folder)
    if not state:
        return None
    tensors: dict[str, Tensor] = {}
    for name in state.pop("files"):
        tensors |= read_tensors(folder / name, "part of a checkpoint")[0]
    return tensors, state


def _state(folder: Path) -> dict[str, Any]:
    path = folder / _STATE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
