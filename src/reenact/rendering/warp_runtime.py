# SPDX-License-Identifier: Apache-2.0
"""Quiet start-up of warp, and launches over torch tensors."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Sequence
from typing import Any

import torch
import warp as wp

from reenact.media.native_messages import without_native_messages

log = logging.getLogger(__name__)
_starting = threading.Lock()


@functools.cache
def initialise() -> None:
    """Start warp once per process, without its banner and its module-loading messages."""
    with _starting:
        wp.config.log_level = max(wp.config.log_level, wp.LOG_WARNING)
        # Warp's native part complains on stderr where there is no NVIDIA driver; to us that is normal.
        with contextlib.nullcontext() if torch.cuda.is_available() else without_native_messages():
            wp.init()


def launch(kernel: Any, dim: Sequence[int], arguments: Sequence[Any], device: torch.device) -> None:
    """Run a warp kernel on the device's current torch stream.

    The first launch on a device compiles the kernel's module (seconds; kept in the user's kernel cache).
    """
    name = "cpu" if device.type == "cpu" else str(wp.device_from_torch(device))
    _load(kernel.module, name)
    if device.type == "cpu":
        wp.launch(kernel, dim=dim, inputs=arguments, device=name, record_tape=False)
    else:
        stream = wp.stream_from_torch(torch.cuda.current_stream(device))
        wp.launch(kernel, dim=dim, inputs=arguments, stream=stream, record_tape=False)


@functools.cache
def _load(module: Any, device: str) -> None:
    start = time.perf_counter()
    wp.load_module(module, device=device)
    seconds = time.perf_counter() - start
    if seconds > 0.5:
        log.info(
            "compiled the rasteriser for %s in %.1f s (kept in %s)",
            device,
            seconds,
            wp.config.kernel_cache_dir,
        )


def strips(width: int, device: torch.device) -> int:
    """Into how many threads a row of pixels is cut: one on the CPU, which then sets each triangle up once; on
    a GPU one for each pixel."""
    return 1 if device.type == "cpu" else width
