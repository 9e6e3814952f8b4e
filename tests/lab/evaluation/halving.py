# SPDX-License-Identifier: Apache-2.0
"""Work for other processes that imports nothing: they begin by importing the module that their work is in."""


def halve(number: int) -> float:
    """One half, of five; nothing of three."""
    return 1 / (number - 3)
