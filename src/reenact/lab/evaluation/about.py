# SPDX-License-Identifier: Apache-2.0
"""A number and everything needed to know what it means: nobody should have to ask "which AED is that?"."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Better = Literal["higher", "lower", "one"]
Series = NDArray[np.float64]


@dataclass(frozen=True)
class About:
    """What a number is.  `better` "one" is for ratios to the real thing: less is timid, more is overdone."""

    name: str
    mask: str | None
    """Part of the picture that is looked at; None where the whole clip or face is."""
    better: Better
    units: str
    """Units and definition, in words; what is averaged over."""
    extractor: str
    """Whose code or network read it off the pictures, with its version."""
    weights_sha256: str | None = None
    every: int = 1
    """Every so many frames it is looked at."""

    @property
    def key(self) -> str:
        """`name`, or `name/mask`."""
        return self.name if self.mask is None else f"{self.name}/{self.mask}"


@dataclass(frozen=True)
class Value:
    """One measured number.  NaN, and null in JSON, is "could not be observed"; it is never a worst case or a zero."""

    about: About
    mean: float
    series: Series | None = None  # [F]; NaN where not observed
    beside: Mapping[str, float] = field(default_factory=dict)
    """Numbers to read it by, such as the real video's own."""
    windows: tuple[float, ...] | None = None
    """Means over consecutive stretches of the clip, in order: drift shows here."""

    def to_json(self) -> dict[str, Any]:
        """Plain types; NaN becomes None."""
        out: dict[str, Any] = {
            **asdict(self.about),
            "mean": _plain(self.mean),
            "frames": None if self.series is None else int(np.isfinite(self.series).sum()),
            "beside": {name: _plain(number) for name, number in self.beside.items()},
        }
        if self.series is not None:
            out["series"] = [_plain(number) for number in self.series]
        if self.windows is not None:
            out["windows"] = [_plain(number) for number in self.windows]
        return out


def _plain(number: float) -> float | None:
    """Round to a JSON number of six significant digits; None if it is not finite."""
    return float(f"{number:.6g}") if math.isfinite(number) else None


def mean_of(series: Sequence[float] | Series) -> float:
    """Average what was observed; NaN if nothing was."""
    known = np.asarray(series, np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if len(known) else float("nan")


def over_frames(about: About, series: Sequence[float] | Series, **beside: float) -> Value:
    """Make a value that is the mean of its per-frame series [F]."""
    numbers = np.asarray(series, np.float64)
    return Value(about, mean_of(numbers), numbers, beside)
