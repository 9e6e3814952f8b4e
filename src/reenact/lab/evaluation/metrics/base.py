# SPDX-License-Identifier: Apache-2.0
"""What every metric is: fed one moment after the other, asked at the end."""

from typing import Protocol

from ..about import Value
from ..observe import Observed


class Metric(Protocol):
    """Keeps numbers and landmarks between frames, never pictures (but for the one before, where motion needs it)."""

    def update(self, moment: Observed) -> None:
        """Look at the next moment of the clip."""
        ...

    def values(self) -> list[Value]:
        """All numbers of the clip."""
        ...


class Absent(Exception):
    """A metric cannot be computed here: the message says why.  It is reported by that reason, never replaced."""
