# SPDX-License-Identifier: Apache-2.0
"""Expression transfer to look at: ``python -m benchmarks.transfer_sheet``.

A row a receiver and moment: the driver's own face, then the receiver's by each method of benchmarks.transfer, then what
the receiver's own face really does; normals.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro

from benchmarks.common import OUT
from benchmarks.fitted_person import coloured
from benchmarks.transfer import METHODS, predictions
from reenact.head.arkit import ACTIONS
from reenact.head.state import HeadState
from reenact.lab.synthetic.receivers import OwnDeformation
from reenact.lab.training.data.transfer_shards import HELD_OUT_SEED, still
from reenact.media.image import write_image
from reenact.rendering import interpolate_directions, rasterise, vertex_normals
from reenact.subject.detailed import open_levels
from reenact.subject.energy import project
from reenact.transfer.own_motion import OwnMotion

_MOMENTS = {
    "smile": {"mouthSmile": 0.9, "cheekSquint": 0.6, "eyeSquint": 0.4},
    "shout": {"jawOpen": 0.8, "browDown": 0.7, "noseSneer": 0.6, "mouthUpperUp": 0.5},
}
_AGES = ((80.0, 2.0), (2.0, 80.0), (30.0, 55.0))  # of driver and receiver


@dataclass
class Args:
    """Draw expression transfer."""

    side: int = 256
    """Of a cell, px."""
    out: Path = OUT / "transfer.png"


def moment(amounts: dict[str, float]) -> HeadState:
    """A state that does that, on both sides."""
    state = still()
    for name, value in amounts.items():
        state.expression[[i for i, a in enumerate(ACTIONS) if a.startswith(name)]] = value
    return state


def drawn(shape: torch.Tensor, size: float, side: int) -> np.ndarray:
    """[W, 3] fit mesh, canonical -> [side, side, 3] its normals, seen from the front; `size` of the face."""
    levels = open_levels()
    surface = levels[2].upsample(shape[None]) * torch.tensor([1.0, -1.0, -1.0]) / size
    surface = surface + torch.tensor([0.0, -0.02, 1.0])
    faces, camera = torch.from_numpy(levels[2].faces), torch.tensor([[4.2 * side, side / 2, side / 2]])
    found = rasterise(project(surface, camera), faces, side, side, cull_back=True)
    return coloured(interpolate_directions(vertex_normals(surface, faces, "torch"), faces, found, "torch")[0].numpy())


def main(args: Args) -> None:
    rows = []
    for number, (driver_age, age) in enumerate(_AGES):
        driver = OwnDeformation.of(HELD_OUT_SEED + 500 + number, age=driver_age)
        own = OwnDeformation.of(HELD_OUT_SEED + 600 + number, age=age)
        kept = own.neutral() - open_levels()[1].upsample(torch.from_numpy(own.rig.neutral))
        motion = OwnMotion.of(own.rig, kept)
        for amounts in _MOMENTS.values():
            state = moment(amounts)
            found = predictions(own, kept, driver, motion, [state])
            cells = [drawn(driver.shapes([state])[0], driver.person.size, args.side)]
            cells += [drawn(found[name][0], own.person.size, args.side) for name in METHODS]
            rows.append(np.concatenate([*cells, drawn(own.shapes([state])[0], own.person.size, args.side)], axis=1))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_image(args.out, np.concatenate(rows))
    print(f"{args.out}: driver, {', '.join(METHODS)}, the receiver's own")


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
