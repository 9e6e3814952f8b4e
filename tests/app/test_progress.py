# SPDX-License-Identifier: Apache-2.0
"""The progress line: true numbers, few lines in a log, one line on a terminal."""

import io

import pytest

from reenact.app.progress import ProgressLine, clock_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Seconds that pass only when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (750, "12:30"), (3723, "1:02:03")]
)
def test_clock_text(seconds: float, text: str) -> None:
    assert clock_text(seconds) == text


@pytest.mark.parametrize("total", [3, 10, 99, 1000])
def test_log_gets_at_most_a_line_a_tenth_and_always_the_last(total: int) -> None:
    stream, clock = io.StringIO(), Clock()
    with ProgressLine(stream, clock) as progress:
        for done in range(total + 1):
            progress("animating", done, total)
            clock.now += 0.5
    lines = stream.getvalue().splitlines()
    assert len(lines) == min(total, 10)
    assert lines[-1].startswith(f"animating  {total}/{total}  100 %")
    assert len(set(lines)) == len(lines)


def test_time_left_is_the_rate_so_far_times_what_remains() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = ProgressLine(stream, clock)
    progress("tracking", 0, 200)
    clock.now += 10
    progress("tracking", 20, 200)
    assert stream.getvalue() == "tracking  20/200   10 %  2.0/s  1:30 left\n"


def test_each_stage_has_its_own_clock() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = ProgressLine(stream, clock)
    progress("tracking", 0, 10)
    clock.now += 1000
    progress("animating", 0, 10)
    clock.now += 5
    progress("animating", 5, 10)
    assert stream.getvalue().endswith("  0:05 left\n")


def test_unknown_total_shows_a_count_every_ten_seconds() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = ProgressLine(stream, clock)
    for done in range(100):
        progress("tracking", done, None)
        clock.now += 0.5
    lines = stream.getvalue().splitlines()
    assert len(lines) == 4
    assert lines[0] == "tracking  20  2.0/s"


def test_terminal_line_is_redrawn_in_place_without_remains_and_closed() -> None:
    stream, clock = Terminal(), Clock()
    with ProgressLine(stream, clock) as progress:
        for done in range(0, 101, 10):
            progress("animating", done, 100)
            clock.now += 1.0
        progress("muxing", 0, 1)
    text = stream.getvalue()
    assert text.count("\n") == 2
    assert text.endswith("\n")
    drawings = text.split("\n")[0].split("\r")[1:]
    assert [len(drawing) for drawing in drawings] == sorted(len(drawing) for drawing in drawings)


def test_terminal_is_not_redrawn_more_than_ten_times_a_second() -> None:
    stream, clock = Terminal(), Clock()
    progress = ProgressLine(stream, clock)
    for done in range(1000):
        progress("animating", done, 10_000)
        clock.now += 0.001
    assert stream.getvalue().count("\r") <= 11


def test_line_is_closed_when_the_work_fails() -> None:
    stream = Terminal()
    with pytest.raises(RuntimeError), ProgressLine(stream, Clock()) as progress:
        progress("animating", 1, 2)
        raise RuntimeError
    assert stream.getvalue().endswith("\n")
