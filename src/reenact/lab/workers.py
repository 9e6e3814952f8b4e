# SPDX-License-Identifier: Apache-2.0
"""Pieces of work that do not depend on each other: as many at a time as there are cores, each on one thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

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


def _one_thread() -> None:
    torch.set_num_threads(1)
