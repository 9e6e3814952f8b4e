# SPDX-License-Identifier: Apache-2.0
"""Whether the inside of a mouth is as bright and as red as it is in truth, part by part.

    python -m benchmarks.mouth_tones SCENES

SCENES is a folder of `reenact train generator`: frames of real performers beside what the warp makes of a photo of
theirs. For wide mouths, well inside of them: the colours (as shares of the mean brightness of the skin) that a fifth,
half and four fifths of the true pixels reach where the head has tongue, cavity and teeth, the warp's median there, the
difference pixel by pixel, and that of all colours of a mouth as sets. Means over people.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray
from tyro.conf import Positional, arg

from benchmarks.common import OUT, provenance, write_json
from benchmarks.generator_ablation import scenes_of
from reenact.head.regions import MOUTH_INTERIOR, region_ids
from reenact.lab.training.data.scenes import Scene

_WIDE, _PART = 350, 20  # pixels of a mouth that counts, and of a part of it
_WITHIN = 7  # px by which the border is left out: there lips are taken for what is behind them
_EVERY = 3  # of the frames
_SHARES = (20, 50, 80)  # per cent

Rows = dict[str, list[list[float]]]


@dataclass
class Args:
    """Compare."""

    scenes: Positional[Annotated[Path, arg(metavar="SCENES")]]
    output: Annotated[Path, arg(aliases=["-o"])] = OUT / "mouth_tones.json"


def tones(scene: Scene) -> Rows:
    """By part and of "all": three true colours of each frame with a wide mouth, the warp's, and the differences."""
    found: Rows = defaultdict(list)
    for number in range(0, len(scene), _EVERY):
        regions = scene.picture("regions", number)
        inside = np.isin(regions, region_ids(*MOUTH_INTERIOR))
        if inside.sum() < _WIDE:
            continue
        core = cv2.erode(inside.astype(np.uint8), np.ones((_WITHIN, _WITHIN), np.uint8)) > 0
        true, warped = (scene.picture(name, number).astype(np.float32) for name in ("frames", "warped"))
        skin = float(true[np.isin(regions, region_ids("skin"))].mean())
        found["all"].append(_row(true[inside], warped[inside], skin))
        for name in MOUTH_INTERIOR:
            part = core & np.isin(regions, region_ids(name))
            if part.sum() >= _PART:
                found[name].append(_row(true[part], warped[part], skin))
    return found


def _row(true: NDArray[np.float32], warped: NDArray[np.float32], skin: float) -> list[float]:
    """Pixels [N, 3] of both -> 9 + 3 shares of the skin's brightness, and two differences from 0 to 1."""
    reached = np.percentile(true, _SHARES, axis=0).ravel() / skin
    apart = np.abs(true - warped).mean() / 255, np.abs(np.sort(true, axis=0) - np.sort(warped, axis=0)).mean() / 255
    return [*reached.tolist(), *(np.median(warped, axis=0) / skin).tolist(), *map(float, apart)]


def main(args: Args) -> None:
    people: defaultdict[str, defaultdict[str, list[list[float]]]] = defaultdict(lambda: defaultdict(list))
    for path in scenes_of(args.scenes):
        scene = Scene(path)
        for part, rows in tones(scene).items():
            people[part][scene.person] += rows
    table = {}
    for part, rows in people.items():
        mean = np.mean([np.mean(r, axis=0) for r in rows.values()], axis=0).round(3).tolist()
        table[part] = {
            "people": len(rows), "true_20": mean[:3], "true_50": mean[3:6], "true_80": mean[6:9], "warp_50": mean[9:12],
            "l1": mean[12], "palette": mean[13],
        }  # fmt: skip
        print(part, table[part])
    write_json(args.output, {"units": "shares of the skin's brightness; l1, palette: 0 to 1", **provenance(), **table})


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
