# SPDX-License-Identifier: Apache-2.0
"""Unevenly timed pictures onto a constant grid, so that sound and picture never drift apart."""

import logging
from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import ceil
from typing import TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

# No picture is held longer than this: a larger step, or a step back by as much, is a broken clock.
MAX_HOLD_S = Fraction(30)


def on_grid(timed: Iterable[tuple[Fraction, Fraction, T]], fps: Fraction) -> Iterator[tuple[int, T]]:
    """Yield (k, item) for k = 0, 1, 2, ...: the latest item due by k / fps, give or take half a frame.

    Time counts from the first item. Of several items that fall to one slot the last is kept; a gap
    repeats the item before it; the last item lasts for its duration, at least one slot. Where the clock jumps
    by more than MAX_HOLD_S the following items continue one slot later. One item is held at a time.

    Args:
        timed: (presentation time in s, duration in s or 0 if unknown, item) in order of presentation.
        fps: slots per second.
    """
    source = iter(timed)
    first = next(source, None)
    if first is None:
        return
    time_s, duration_s, held = first
    origin_s = time_s
    slot = 0
    for next_time_s, next_duration_s, item in source:
        if abs(next_time_s - time_s) > MAX_HOLD_S:
            log.warning("timestamps jump from %.1f s to %.1f s; the gap is left out", time_s, next_time_s)
            origin_s += next_time_s - time_s - 1 / fps
        next_slot = _slot_at(next_time_s - origin_s, fps)
        for k in range(slot, next_slot):
            yield k, held
        slot = max(slot, next_slot)
        time_s, duration_s, held = next_time_s, next_duration_s, item
    end = _slot_at(time_s + min(duration_s, MAX_HOLD_S) - origin_s, fps)
    for k in range(slot, max(slot + 1, end)):
        yield k, held


def _slot_at(elapsed_s: Fraction, fps: Fraction) -> int:
    """The first slot k that shows a picture due at `elapsed_s`: elapsed_s <= k / fps + half a frame."""
    return ceil(elapsed_s * fps - Fraction(1, 2))
