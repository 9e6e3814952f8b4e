# SPDX-License-Identifier: Apache-2.0
"""The grid against its definition."""

import logging
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reenact.media.rates import MAX_HOLD_S, on_grid

RATES = st.sampled_from([Fraction(25), Fraction(30000, 1001), Fraction(1000, 37)])


@settings(max_examples=150, deadline=None)
@given(
    fps=RATES,
    steps=st.lists(st.integers(0, 9000), min_size=0, max_size=40),
    start=st.integers(-(10**6), 10**6),
    last=st.integers(0, 9000),
)
def test_slot_k_shows_the_latest_item_due_by_then(fps: Fraction, steps: list[int], start: int, last: int) -> None:
    times = [Fraction(start + sum(steps[:i]), 90000) for i in range(len(steps) + 1)]
    end = times[-1] + Fraction(last, 90000)
    shown = list(on_grid(((time, end - times[-1], i) for i, time in enumerate(times)), fps))
    assert [k for k, _ in shown] == list(range(len(shown)))
    half = Fraction(1, 2)
    for k, item in shown:
        due = [i for i, time in enumerate(times) if (time - times[0]) * fps <= k + half]
        assert item == due[-1]
    # Pictures last as long as the source did, to within half a frame, and at least one frame.
    assert shown[-1][1] == len(times) - 1
    assert abs(len(shown) - (end - times[0]) * fps) <= half or len(shown) * half <= half + shown[-1][0] * half


@given(fps=RATES, count=st.integers(1, 60), start=st.integers(0, 1000))
def test_what_is_on_the_grid_already_passes_unchanged(fps: Fraction, count: int, start: int) -> None:
    timed = ((start + k / fps, 1 / fps, k) for k in range(count))
    assert list(on_grid(timed, fps)) == [(k, k) for k in range(count)]


def test_nothing_gives_nothing() -> None:
    assert list(on_grid(iter(()), Fraction(25))) == []


@pytest.mark.parametrize("jump", [3600, -3600, 95443])
def test_a_broken_clock_neither_hangs_nor_stops(jump: int, caplog: pytest.LogCaptureFixture) -> None:
    assert abs(jump) > MAX_HOLD_S
    times = [Fraction(k, 25) + (jump if k >= 10 else 0) for k in range(20)]
    with caplog.at_level(logging.WARNING):
        shown = list(on_grid(((time, Fraction(1, 25), k) for k, time in enumerate(times)), Fraction(25)))
    assert shown == [(k, k) for k in range(20)]
    assert "timestamps jump" in caplog.text
