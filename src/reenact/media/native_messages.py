# SPDX-License-Identifier: Apache-2.0
"""Messages that native libraries write to the process's stderr, below Python's own."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

log = logging.getLogger("reenact")
_lock = threading.Lock()
_inside = 0  # blocks that are being run, in all threads
_saved = -1  # the file descriptor that stderr goes back to


@contextmanager
def without_native_messages() -> Iterator[None]:
    """Send file descriptor 2, which native code writes to, nowhere while a block is run.

    What Python raises is raised as ever. Blocks may be nested, and run in several threads. Nothing is hidden where the
    log of `reenact` shows debug messages, or where the process has no stderr.
    """
    hidden = not log.isEnabledFor(logging.DEBUG) and _enter()
    try:
        yield
    finally:
        if hidden:
            _leave()


def _enter() -> bool:
    global _inside, _saved
    with _lock:
        if not _inside:
            try:
                _saved = os.dup(2)
            except OSError:
                return False
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        _inside += 1
    return True


def _leave() -> None:
    global _inside
    with _lock:
        _inside -= 1
        if not _inside:
            os.dup2(_saved, 2)
            os.close(_saved)
