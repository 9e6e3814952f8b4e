# SPDX-License-Identifier: Apache-2.0
"""Shards that lab/training/data prepares, as training reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from reenact.media.errors import InputError
from reenact.media.files import existing_file


class ShardRows:
    """Rows of many shards, one after another; they are read as they are asked for, and nothing is held."""

    def __init__(self, shards: Sequence[Path]) -> None:
        """Open the shards. Raises InputError for what is none, ValueError if there are none."""
        if not shards:
            raise ValueError("got no shards; want at least one")
        try:
            self._files = [safe_open(existing_file(path, "a shard"), framework="pt") for path in shards]
        except SafetensorError as error:
            raise InputError(f"{', '.join(map(str, shards))}: not all are readable shards ({error})") from error
        counts = [file.get_slice("person").get_shape()[0] for file in self._files]
        self._places = [(file, row) for file, count in zip(self._files, counts, strict=True) for row in range(count)]

    def __len__(self) -> int:
        return len(self._places)

    def has(self, name: str) -> bool:
        """Say whether the first shard has an array."""
        return name in self._files[0].keys()  # noqa: SIM118 safe_open is no mapping

    def shape(self, name: str) -> list[int]:
        """Return the shape of an array in the first shard."""
        return self._files[0].get_slice(name).get_shape()

    def rows(self, name: str, numbers: Sequence[int], *within: int) -> Tensor:
        """Read rows of an array [len(numbers), ...]; `within` are indices into each row."""
        places = [self._places[number] for number in numbers]
        return torch.stack([file.get_slice(name)[(row, *within)] for file, row in places])
