# SPDX-License-Identifier: Apache-2.0
"""Pieces of work that do not depend on each other, shards of data among them: as many at a time as there are cores.

Each is done on one thread.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from reenact.media.arrays import write_arrays
from reenact.media.progress import Progress
from reenact.rendering.threads import one_torch_thread

Work = TypeVar("Work")
Result = TypeVar("Result")
Item = TypeVar("Item")
Arrays = dict[str, NDArray[np.generic]]
"""Rows of a shard: arrays by name, all of the same first dimension."""


def cores() -> int:
    """Count the processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(
    do: Callable[[Work], Result],
    work: Sequence[Work],
    jobs: int,
    stage: str,
    progress: Progress,
) -> list[Result]:
    """Call `do` on every piece of work, in order, in `jobs` processes; both have to be picklable for jobs > 1.

    Whatever a piece raises is raised here, and an interruption stops what has not begun.
    """
    done: list[Result] = []
    if jobs <= 1 or len(work) <= 1:
        with one_torch_thread():
            for piece in work:
                done.append(do(piece))
                progress(stage, len(done), len(work))
        return done
    # A forked copy of a process that has threads may hang: start anew.
    pool = ProcessPoolExecutor(min(jobs, len(work)), mp_context=get_context("spawn"), initializer=_one_thread)
    try:
        for result in pool.map(do, work):
            done.append(result)
            progress(stage, len(done), len(work))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return done


def prepare_shards(
    make: Callable[[Sequence[Item]], Iterable[Arrays]],
    shards: Mapping[Path, Sequence[Item]],
    jobs: int,
    stage: str,
    progress: Progress,
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


def _one_thread() -> None:
    torch.set_num_threads(1)
