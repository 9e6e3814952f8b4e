# SPDX-License-Identifier: Apache-2.0
"""The rate comes from the timestamps, exactly, whatever the header claims."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reenact.media.rates import DEFAULT_FPS, MAX_FPS, MIN_FPS, frame_rate

TRUE_RATES = [Fraction(n) for n in (10, 12, 15, 24, 25, 30, 50, 60)] + [
    Fraction(n, 1001) for n in (24000, 30000, 60000)
]


def rounded(times: list[Fraction], tick: Fraction) -> list[Fraction]:
    return [round(time / tick) * tick for time in times]


@settings(max_examples=25, deadline=None)
@given(
    rate=st.sampled_from(TRUE_RATES),
    tick=st.sampled_from([Fraction(1, 90000), Fraction(1, 1000)]),
    dropped=st.sets(st.integers(1, 99), max_size=30),
    start=st.integers(0, 10**9),
)
def test_dropped_frames_and_coarse_clocks_do_not_blur_the_rate(
    rate: Fraction, tick: Fraction, dropped: set[int], start: int
) -> None:
    times = rounded([start + k / rate for k in range(100) if k not in dropped], tick)
    assert frame_rate(times, tick, [Fraction(1000)]) == rate


@pytest.mark.parametrize("rate", [Fraction(12), Fraction(15), Fraction(10)])
def test_gif_clock(rate: Fraction) -> None:
    tick = Fraction(1, 100)
    assert frame_rate(rounded([k / rate for k in range(40)], tick), tick, []) == rate


def test_an_odd_but_steady_rate_is_kept_exactly() -> None:
    period = Fraction(33333, 1_000_000)
    assert frame_rate([k * period for k in range(30)], Fraction(1, 1_000_000), [Fraction(30)]) == 1 / period


@given(declared=st.lists(st.one_of(st.none(), st.fractions(0, 10**5)), max_size=4))
def test_without_timestamps_the_first_sane_claim_counts(declared: list[Fraction | None]) -> None:
    rate = frame_rate([Fraction(3)], Fraction(1, 1000), declared)
    sane = [claim for claim in declared if claim is not None and MIN_FPS <= claim <= MAX_FPS]
    assert rate == (sane[0] if sane else DEFAULT_FPS)


@settings(max_examples=60, deadline=None)
@given(ticks=st.lists(st.integers(0, 10**7), max_size=50))
def test_any_timestamps_give_a_usable_rate(ticks: list[int]) -> None:
    rate = frame_rate(sorted(Fraction(t, 90000) for t in ticks), Fraction(1, 90000), [])
    assert MIN_FPS <= rate <= MAX_FPS


def test_a_burst_counts_by_its_density() -> None:
    times = [Fraction(k // 10, 5) + Fraction(k % 10, 10000) for k in range(100)]
    assert frame_rate(times, Fraction(1, 10000), []) == pytest.approx(50, rel=0.12)
