# SPDX-License-Identifier: Apache-2.0
"""Measure the mean displacement of detected landmarks from the mesh's: ``python -m scripts.embed_landmarks``.

The mesh ties each landmark to one place of its skin, found on renders of a plain head
(scripts/build_head/landmarks.py). This script renders synthetic people with known heads, cameras and codes, and fits
one shift of each landmark in head space to the differences between detected and true landmarks (robust least squares).
It writes `assets/landmark_shifts.safetensors` and prints the error on held-out people with and without the shifts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import numpy as np
import tyro

from reenact.app.progress import ProgressLine
from reenact.lab.training.landmark_shifts import LandmarkResiduals, fit_shifts, median_error, residuals_of
from reenact.media.arrays import write_arrays
from reenact.perception.landmark_network import LandmarkNetwork
from reenact.tracking.placement import SHIFTS

_FIRST_SEED: Final = 3_500_000  # of nobody who is trained on or measured


@dataclass(frozen=True)
class Arguments:
    """Measure the shifts."""

    people: int = 120
    """To learn from."""
    held_out: int = 12
    """People to measure on."""
    each: int = 5
    """Pictures of each."""


def main(arguments: Arguments) -> None:
    """Write the shifts and print the error on held-out people."""
    with ProgressLine(sys.stderr) as progress, closing(LandmarkNetwork(None, video=False)) as network:
        total = arguments.people + arguments.held_out

        def residuals(people: range) -> LandmarkResiduals:
            def seeds() -> Iterator[int]:
                for person in people:
                    progress("detecting landmarks", person, total)
                    yield _FIRST_SEED + person

            return residuals_of(seeds(), arguments.each, network)

        learnt, others = residuals(range(arguments.people)), residuals(range(arguments.people, total))
    shifts = fit_shifts(learnt)
    write_arrays(SHIFTS, {"shifts": shifts})
    median_mm = 1e3 * float(np.median(np.linalg.norm(shifts, axis=1)))
    print(f"{SHIFTS}: {len(learnt.residual)} faces, median shift {median_mm:.2f} mm")
    for name, value in (("without", np.zeros_like(shifts)), ("with", shifts)):
        percent = 100 * median_error(others, value)
        print(f"{name} shifts: {percent:.2f} % of the face's radius on held-out people")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
