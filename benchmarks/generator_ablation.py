# SPDX-License-Identifier: Apache-2.0
"""The paper's point: what a generator gains from a dense, personal control signal.

    python -m benchmarks.generator_ablation SCENES -o out/ablation --seconds 900

Equal small networks, equal steps: told of the driven head (a) 2D landmarks, (b) normals of the coarse head, (c) normals
of the personal head, (d) those, regions, the warped photo and what of it to believe. (a) to (c) begin with the photo,
moved by the affine map that fits the driven head's landmarks best, (d) with the warped photo. SCENES has `train` and
`held-out`, as `reenact train generator` makes them. Scores are of people never learnt from: dB of face, lips and mouth,
whole pictures, two steps, and of what each begins with; the sheet shows the same frames.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import tyro
from PIL import Image
from tyro.conf import Positional, arg

from benchmarks.common import OUT, provenance, write_json
from reenact.generator.diffusion.compact.encoders import INPUTS
from reenact.generator.diffusion.compact.flow import Sampling, sample
from reenact.generator.diffusion.compact.network import CompactConfig, CompactNet
from reenact.generator.diffusion.controls import Controls
from reenact.lab.training.compact import CompactTraining, train_compact
from reenact.lab.training.data.scenes import Scene
from reenact.lab.training.generator_batches import Cut, batch
from reenact.lab.training.generator_loss import importance
from reenact.lab.training.loop import Schedule

_TOLD = ("photo", "normals", "warped")  # for (a) to (c) the photo, aligned, stands for the warped one
ARMS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "a landmarks": ("landmarks", "aligned", _TOLD),
    "b coarse normals": ("coarse_normals", "aligned", _TOLD),
    "c personal normals": ("normals", "aligned", _TOLD),
    "d and warped photo, regions": ("normals", "warped", INPUTS),
}
WIDTHS, DEPTH = (32, 64, 128), 3


@dataclass
class Args:
    """Train and compare."""

    scenes: Positional[Annotated[Path, arg(metavar="SCENES")]]
    output: Annotated[Path, arg(aliases=["-o"])] = OUT / "ablation"
    steps: int = 1200
    seconds: float = 1e9
    """Of each network, in this sitting; all are compared at the steps they have."""
    cut: int = 128
    device: str = "cpu"
    threads: int = 1


def scenes_of(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*.safetensors") if not p.name.endswith(".motion.safetensors"))


def main(args: Args) -> None:
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    learnt, unseen = scenes_of(args.scenes / "train"), scenes_of(args.scenes / "held-out")
    args.output.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, float]] = {}
    columns: list[list[torch.Tensor]] = []
    for name, (control, start, inputs) in ARMS.items():
        config = CompactConfig(WIDTHS, DEPTH, inputs)
        settings = CompactTraining(Schedule(args.steps, 1e-3), config, Cut(args.cut, 4, control=control, start=start))
        run = train_compact(
            settings,
            learnt,
            unseen,
            args.output / name.split()[0],
            seconds=args.seconds,
            progress=lambda *_: None,
            device=device,
            check_every=args.steps,
        )
        net = CompactNet(config).to(device).eval()
        net.load_state_dict(run.average)
        rows[name], shown = scored(net, unseen, settings.cut, device)
        rows[name]["steps"] = run.step
        columns.append(shown)
        print(name, {key: round(value, 2) for key, value in rows[name].items()}, flush=True)
    sheet = torch.cat([torch.cat(row, dim=-1) for row in zip(*columns, truths(unseen), strict=True)], dim=-2)
    Image.fromarray(((sheet.clamp(-1, 1) + 1) * 127.5).byte().permute(1, 2, 0).numpy()).save(args.output / "sheet.png")
    write_json(args.output / "ablation.json", {**provenance(), "unit": "PSNR, dB, 256 px", "rows": rows})


def moment(scene: Scene, number: int, cut: Cut) -> tuple[Controls, torch.Tensor]:
    """The same window for every arm, whole."""
    whole = replace(cut, size=scene.picture("photo").shape[0], augment=False)
    return batch([scene], np.random.default_rng(number), whole, 1)


def scored(
    net: CompactNet, unseen: list[Path], cut: Cut, device: torch.device
) -> tuple[dict[str, float], list[torch.Tensor]]:
    """PSNR by where it is looked at, mean over scenes; and the last frame of each."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    shown = []
    for number, path in enumerate(unseen):
        controls, frames = moment(Scene(path), number, cut)
        painted = sample(net, controls.to(device), Sampling()).clean.clamp(-1, 1).cpu()
        weight = importance(controls)
        drawn = controls.regions[:, :, None] != 255
        for name, mask in (("frame", torch.ones_like(drawn)), ("face", drawn), ("lips and mouth", weight > 2)):
            for what, picture in (("", painted), (" begun", controls.warped)):
                error = (mask * (picture - frames).square()).sum() / (3 * mask.sum())
                found[name + what].append(10.0 * float(torch.log10(4.0 / error)))
        shown.append(painted[0, -1])
    return {name: float(np.mean(values)) for name, values in found.items()}, shown


def truths(unseen: list[Path]) -> list[torch.Tensor]:
    return [moment(Scene(path), number, Cut(0, 4))[1][0, -1] for number, path in enumerate(unseen)]


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
