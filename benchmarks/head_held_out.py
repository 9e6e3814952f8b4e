# SPDX-License-Identifier: Apache-2.0
"""Whether a head explains frames it was not fitted to: ``python -m benchmarks.head_held_out CLIP ...``.

The fit sees every second frame; the others are explained with its static offsets and what lies between the dynamic
offsets and poses of their neighbours. Printed for fitted and for held-out frames, and for the coarse head of both: the
mean angle to our network's normals where it sees skin, degrees, and the median distance of the 478 landmarks, px of
the 256 px crop. The angle on held-out frames is also how far the network agrees with a multi-frame fit that has not
seen its word on that frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
from tyro.conf import Positional

from benchmarks.common import OUT, provenance, write_json
from benchmarks.fitted_person import FittedPerson, quiet
from reenact.head.open import open_head
from reenact.perception.dense.shipped import shipped_estimator
from reenact.subject.detailed import open_levels
from reenact.subject.head_fit import observed
from reenact.subject.source import read_source


@dataclass
class Args:
    """Explain held-out frames."""

    clips: Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="CLIP")]]
    frames: int = 80
    """Of each clip, its first ones in which the face was found."""
    measured: int = 12
    """Frames measured of either kind."""
    out: Path = OUT / "head_held_out.json"


def main(args: Args) -> None:
    model, levels, looks = open_head(), open_levels(), shipped_estimator()
    rows_out = []
    print("| clip | frames | coarse deg | static deg | both deg | coarse px | static px | both px |")
    print("|---|---|---|---|---|---|---|---|")
    for clip in args.clips:
        source = read_source(model, clip, 0, None, None, quiet)
        every = np.arange(min(args.frames, len(source.states)))
        fitted = FittedPerson.of(model, levels, source, every[::2], looks)
        for name, rows in (("fitted", every[::2]), ("held out", every[1:-1:2])):
            rows = rows[np.unique(np.linspace(0, len(rows) - 1, args.measured).round().astype(int))]
            seen = observed(source, rows, looks, quiet)
            row: dict[str, str | float] = {"clip": clip.name, "frames": name}
            for surface, posed in zip(("coarse", "static", "both"), fitted.posed(seen, rows), strict=True):
                angle, px = fitted.unexplained(posed, seen)
                row |= {f"{surface}_deg": float(angle.mean()), f"{surface}_px": float(px.mean())}
            rows_out.append(row)
            numbers = [f"{row[f'{s}_{unit}']:.2f}" for unit in ("deg", "px") for s in ("coarse", "static", "both")]
            print(f"| {clip.name} | {name} | {' | '.join(numbers)} |", flush=True)
    ratios = {
        f"both_{unit}": float(np.mean([h[f"both_{unit}"] for h in rows_out if h["frames"] == "held out"]))
        / float(np.mean([f[f"both_{unit}"] for f in rows_out if f["frames"] == "fitted"]))
        for unit in ("deg", "px")
    }
    print(f"held out / fitted: {ratios}")
    units = "degrees to the shipped network's normals; px of the 256 px crop of the head"
    write_json(args.out, {**provenance(), "units": units, "clips": rows_out, "held_out_by_fitted": ratios})


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
