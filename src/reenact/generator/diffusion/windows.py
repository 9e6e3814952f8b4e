# SPDX-License-Identifier: Apache-2.0
"""A clip of any length painted window by window, as a stream."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor


def blended_windows(
    count: int, window: int, overlap: int, paint: Callable[[int, int], Tensor]
) -> Iterator[tuple[int, Tensor]]:
    """Numbers and pictures of `count` frames; where two windows overlap, the one gives way to the other.

    paint: of a first frame and a number of frames, which gives [number, ...]. No more than one window is held.
    Raises ValueError if windows do not advance.
    """
    if not 0 <= overlap <= window // 2:
        raise ValueError(f"windows of {window} frames cannot overlap by {overlap}; want 0 to {window // 2}")
    kept: Tensor | None = None  # the end of the window before
    first = 0
    while first < count:
        number = min(window, count - first)
        found = paint(first, number)
        if kept is not None:
            shared = len(kept)
            share = (torch.arange(1, shared + 1, device=found.device) / (shared + 1)).to(found.dtype)
            share = share.view(-1, *[1] * (found.dim() - 1))
            found[:shared] = torch.lerp(kept, found[:shared], share)
        is_last = first + number >= count
        ready = number if is_last else number - overlap
        for i in range(ready):
            yield first + i, found[i]
        if is_last:
            return
        kept = found[ready:].clone() if overlap else None
        first += ready
