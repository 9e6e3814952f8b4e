# SPDX-License-Identifier: Apache-2.0
"""A video's true frame rate from its timestamps, and unevenly timed pictures on the constant grid of such a rate."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil
from statistics import median_low
from typing import TypeVar

MIN_FPS = Fraction(1)
MAX_FPS = Fraction(240)
DEFAULT_FPS = Fraction(25)
_USUAL_RATES = [*map(Fraction, range(1, 241)), *(Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120))]


def frame_rate(times_s: Sequence[Fraction], tick_s: Fraction, declared: Iterable[Fraction | None]) -> Fraction:
    """The rate of the constant grid that fits `times_s`, in frames per second, within 1..240.

    Headers lie: an edit list makes the average rate wrong, a variable-rate recording declares 1000 fps or 0.
    So the timestamps decide and the header is asked only where there are fewer than two of them. Dropped
    frames and pauses do not lower the rate. Timestamps too coarse to tell (1 ms in Matroska, 10 ms in GIF)
    or jittering (phones) give the nearest usual rate, if one is near.

    Args:
        times_s: presentation times in ascending order.
        tick_s: the clock's resolution, to which the times were rounded.
        declared: rates the container states, most trusted first; None or absurd ones are passed over.
    """
    steps = [later - earlier for earlier, later in pairwise(times_s) if later > earlier]
    if not steps:
        return next((rate for rate in declared if rate and MIN_FPS <= rate <= MAX_FPS), DEFAULT_FPS)

    typical = median_low(steps)
    regular = [step for step in steps if typical / 2 < step < typical * 3 / 2]
    spread = max(regular) - min(regular)
    period = sum(regular, Fraction(0)) / len(regular)
    if period < 1 / MAX_FPS:  # bursts of almost equal timestamps: only their overall density means anything
        rate = (len(steps) / sum(steps, Fraction(0))).limit_denominator(1001)
    elif spread == 0 and tick_s * 100 <= period:
        rate = 1 / period
    else:
        period, doubt = _refined(period, steps, tick_s)
        if spread > 2 * tick_s:
            doubt = max(doubt, period / 500)
        nearest = min(_USUAL_RATES, key=lambda usual: abs(1 / usual - period))
        rate = nearest if abs(1 / nearest - period) <= doubt else (1 / period).limit_denominator(1001)
    return min(max(rate, MIN_FPS), MAX_FPS)


def _refined(period: Fraction, steps: Sequence[Fraction], tick_s: Fraction) -> tuple[Fraction, Fraction]:
    """The mean period over all steps that are whole multiples of `period`, and by how much it may be off.

    In an unbroken run of steps the roundings cancel but for the first and the last.
    """
    counted = [(step, round(step / period)) for step in steps]
    # A step of 8 periods or more is a pause.
    whole = [(step, n) for step, n in counted if 0 < n < 8 and abs(step - n * period) < period / 4]
    frames = sum(n for _, n in whole)
    if frames == 0:
        return period, tick_s
    runs = 1 + len(steps) - len(whole)
    return sum((step for step, _ in whole), Fraction(0)) / frames, runs * tick_s / frames


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
