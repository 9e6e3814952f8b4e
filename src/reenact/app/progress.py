# SPDX-License-Identifier: Apache-2.0
"""A progress line with the time left: redrawn on a terminal, one line every tenth of the way elsewhere."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

UNKNOWN_LENGTH_S = 10.0
"""Without a terminal and without a known total, one line in this many seconds."""


def clock_text(seconds: float) -> str:
    """Seconds as a person reads them off a clock: `0:07`, `12:30`, `1:02:03`."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class ProgressLine:
    """Callable as `progress(stage, done, total)`; a context manager, so that its last line is closed.

    `done` counts from 0 or 1 within a stage, `total` is None while nobody knows how many there will be.
    Time left is told from the stage's own rate so far.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._terminal = stream.isatty()
        self._stage = ""
        self._started = self._due_at = 0.0
        self._next_tenth = 1
        self._width = 0

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        now = self._clock()
        if stage != self._stage:
            self._end_line()
            self._stage, self._started, self._next_tenth = stage, now, 1
            self._due_at = now if self._terminal else now + UNKNOWN_LENGTH_S
        if self._is_due(now, done, total):
            # A terminal's line is not redrawn more often than this.
            self._due_at = now + (0.1 if self._terminal else UNKNOWN_LENGTH_S)
            self._show(self._text(now, done, total))

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end_line()

    def _is_due(self, now: float, done: int, total: int | None) -> bool:
        if self._terminal:
            return done == total or now >= self._due_at
        if not total:
            return now >= self._due_at
        if done * 10 < total * self._next_tenth:
            return False
        self._next_tenth = done * 10 // total + 1
        return True

    def _text(self, now: float, done: int, total: int | None) -> str:
        elapsed = now - self._started
        rate = f"  {done / elapsed:.1f}/s" if done > 1 and elapsed > 0 else ""
        if not total:
            return f"{self._stage}  {done}{rate}"
        text = f"{self._stage}  {done}/{total}  {100 * done // total:3d} %{rate}"
        if done >= total:
            return f"{text}  took {clock_text(elapsed)}"
        return f"{text}  {clock_text(elapsed / done * (total - done))} left" if done else text

    def _show(self, text: str) -> None:
        if self._terminal:
            self._stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self._stream.write(text + "\n")
        self._stream.flush()

    def _end_line(self) -> None:
        if self._width:
            self._stream.write("\n")
            self._stream.flush()
            self._width = 0
