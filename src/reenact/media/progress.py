# SPDX-License-Identifier: Apache-2.0
"""How long work reports its progress."""

from collections.abc import Callable

Progress = Callable[[str, int, int | None], None]
"""Called with a stage, how much of it is done, and how much there is (None if that is not known)."""


def silent(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""
