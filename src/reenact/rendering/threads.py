# SPDX-License-Identifier: Apache-2.0
"""Small operations on one thread: to share microseconds of work out among threads costs milliseconds, and on a machine
that has other things to do, seconds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch


@contextlib.contextmanager
def one_torch_thread() -> Iterator[None]:
    """Torch on the CPU uses one thread within, as many as before afterwards. Also a decorator of functions."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
