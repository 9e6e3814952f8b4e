# SPDX-License-Identifier: Apache-2.0
"""Pieces of work that do not depend on each other: as many at a time as there are cores, each on one thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol, TypeVar

import torch

from reenact.rendering.threads import one_torch_thread

Work = TypeVar("Work")
Result = TypeVar("Result")


def cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(
    do: Callable[[Work], Result],
    work: Sequence[Work],
    jobs: int,
    stage: str,
    progress: Callable[[str, int, int | None], None],
) -> list[Result]:
    """`do` of every piece of work, in order, in `jobs` processes; `do` and its work have to be picklable for jobs > 1.

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


class Shard(Protocol):
    """One file of a data set, and all that it takes to make it."""

    @property
    def path(self) -> Path: ...


SomeShard = TypeVar("SomeShard", bound=Shard)


def draw_shards(
    draw: Callable[[SomeShard], None],
    shards: Sequence[SomeShard],
    jobs: int,
    stage: str,
    progress: Callable[[str, int, int | None], None],
) -> list[Path]:
    """Write the shards that are not there yet, so that an interrupted run goes on, and return those that are."""
    for folder in {shard.path.parent for shard in shards}:
        folder.mkdir(parents=True, exist_ok=True)
    spread(draw, [shard for shard in shards if not shard.path.exists()], jobs, stage, progress)
    return [shard.path for shard in shards if shard.path.exists()]


def groups(first: int, count: int, size: int) -> Iterator[tuple[int, int]]:
    """(first seed, number) of groups of at most `size` of the `count` seeds from `first` on."""
    for start in range(0, count, size):
        yield first + start, min(size, count - start)


def _one_thread() -> None:
    torch.set_num_threads(1)
