# SPDX-License-Identifier: Apache-2.0
"""Shards: safetensors files of a data set, prepared once by lab/training/data and read by training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor

from reenact.lab.workers import spread
from reenact.media.arrays import write_arrays
from reenact.media.errors import InputError
from reenact.media.files import existing_file

Item = TypeVar("Item")
Arrays = dict[str, NDArray[np.generic]]
"""Rows of a shard: arrays by name, all of the same first dimension."""


def prepare_shards(
    make: Callable[[Sequence[Item]], Iterable[Arrays]],
    shards: Mapping[Path, Sequence[Item]],
    jobs: int,
    stage: str,
    progress: Callable[[str, int, int | None], None],
) -> list[Path]:
    """Write the shards that do not exist yet, so that an interrupted run goes on.

    Args:
        make: makes the rows of some items, such as the seeds of people; it has to be picklable for jobs > 1.
        shards: file -> the items that it is made of. A shard for which `make` gives nothing is not written.
        jobs: number of processes.
        stage: name for `progress`.
        progress: called with stage, shards done and their number.

    Returns:
        The shards that exist.
    """
    for folder in {path.parent for path in shards}:
        folder.mkdir(parents=True, exist_ok=True)
    missing = [_Missing(path, items) for path, items in shards.items() if not path.exists()]
    spread(partial(_write, make), missing, jobs, stage, progress)
    return [path for path in shards if path.exists()]


def people_shards(out: Path, name: str, seeds: range, people: int) -> dict[Path, range]:
    """Divide seeds of people among shards of `people` each, named by `name`, in which {} is first seed and number."""
    parts = (seeds[start : start + people] for start in range(0, len(seeds), people))
    return {out / f"{name.format(f'{part.start}-{len(part)}')}.safetensors": part for part in parts}


@dataclass(frozen=True)
class _Missing(Generic[Item]):
    path: Path
    items: Sequence[Item]


def _write(make: Callable[[Sequence[Item]], Iterable[Arrays]], shard: _Missing[Item]) -> None:
    parts = list(make(shard.items))
    if parts:
        write_arrays(shard.path, {name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


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

    def shape(self, name: str) -> list[int]:
        """Shape of an array in the first shard."""
        return self._files[0].get_slice(name).get_shape()

    def rows(self, name: str, numbers: Sequence[int], *within: int) -> Tensor:
        """[len(numbers), ...] rows of an array; `within` are indices into each row."""
        places = [self._places[number] for number in numbers]
        return torch.stack([file.get_slice(name)[(row, *within)] for file, row in places])
