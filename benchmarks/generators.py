# SPDX-License-Identifier: Apache-2.0
"""Questions that are asked again whenever a learned generator is trained.

    python -m benchmarks.generators ablation SCENES --steps 1200
    python -m benchmarks.generators long

`ablation`: what a generator gains from a dense, personal control signal. Equal small networks are trained for equal
steps with, as control signal, (a) 2D landmarks, (b) normals of the coarse head, (c) normals of the personal head, (d)
those, regions, the warped photo and its visibility. (a) to (c) begin with the photo, moved by the affine map that fits
the driven head's landmarks best, (d) with the warped photo. SCENES has `train` and `held-out`, as `reenact train
generator` makes them. Scores are of people never learnt from: PSNR in dB of face, lips and mouth, and whole pictures,
two steps, and of what each begins with; the sheet shows the same frames.

`long`: who is seen at the end of a long video, and whether windows show. The demo photo gives a bundled performance,
forwards and backwards in turn, so that it never jumps. CSIM is dlib's, of the frames of the first and of the last
second to the photo. Seams: mean absolute difference of consecutive frames where one window gives way to the next over
that elsewhere, after dividing by the warp's own difference at the same place, which knows of no windows; 1 is none.
Strips of frames around some borders are written, to look at.
"""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import torch
import tyro
from PIL import Image
from tyro.conf import Positional, arg

from benchmarks.common import OUT, Recorded, demo, record
from reenact.generator.choice import GeneratorOptions
from reenact.generator.diffusion.compact.encoders import INPUTS
from reenact.generator.diffusion.compact.flow import Sampling, sample
from reenact.generator.diffusion.compact.network import CompactConfig, CompactNet
from reenact.generator.diffusion.compact.painter import CompactPainter
from reenact.generator.diffusion.controls import Controls
from reenact.head.open import open_head
from reenact.lab.evaluation.landmarks68 import Follower, Landmarks68
from reenact.lab.evaluation.metrics.identity import DlibIdentity, cosine
from reenact.lab.training.compact import CompactTraining, train_compact
from reenact.lab.training.data.scenes import Scene
from reenact.lab.training.generator_batches import Cut, batch
from reenact.lab.training.generator_loss import importance
from reenact.lab.training.loop import Schedule
from reenact.media import write_image
from reenact.pipeline import make_generator

_SHARED_INPUTS: Final = ("photo", "normals", "warped")  # for (a) to (c) the photo, aligned, stands for the warped one
ARMS: Final[dict[str, tuple[str, str, tuple[str, ...]]]] = {
    "a. 2D landmarks": ("landmarks", "aligned", _SHARED_INPUTS),
    "b. normals of the coarse head": ("coarse_normals", "aligned", _SHARED_INPUTS),
    "c. normals of the personal head": ("normals", "aligned", _SHARED_INPUTS),
    "d. those, regions, the warped photo, visibility": ("normals", "warped", INPUTS),
}
WIDTHS, DEPTH = (32, 64, 128), 3
FPS: Final = 25


@dataclass(frozen=True)
class Ablation(Recorded):
    """Train and compare control signals."""

    scenes: Positional[Annotated[Path, arg(metavar="SCENES")]]
    """Folder of `reenact train generator`, with `train` and `held-out`."""
    output: Annotated[Path, arg(aliases=["-o"])] = OUT / "ablation"
    """Folder of the trainings, which go on where they were, and of the sheet."""
    steps: int = 1200
    """Of each network."""
    seconds: float = 1e9
    """Longest training of each network in this call; all are compared at the steps they have."""
    cut: int = 128
    """Side of the cuts that are learnt from, px."""
    device: str = "cpu"
    threads: int = 1

    def run(self) -> None:
        """Train what is not trained yet, and score."""
        torch.set_num_threads(self.threads)
        device = torch.device(self.device)
        train, held_out = scenes_of(self.scenes / "train"), scenes_of(self.scenes / "held-out")
        self.output.mkdir(parents=True, exist_ok=True)
        rows: list[dict[str, str | float]] = []
        columns: list[list[torch.Tensor]] = []
        begun: dict[str, dict[str, float]] = {}
        for name, (control, start, inputs) in ARMS.items():
            config = CompactConfig(WIDTHS, DEPTH, inputs)
            cut = Cut(self.cut, 4, control=control, start=start)
            settings = CompactTraining(Schedule(self.steps, 1e-3), config, cut)
            run = train_compact(
                settings,
                train,
                held_out,
                self.output / name.split(".")[0],
                seconds=self.seconds,
                progress=lambda *_: None,
                device=device,
                check_every=self.steps,
            )
            net = CompactNet(config).to(device).eval()
            net.load_state_dict(run.average)
            scores, begun[start], shown = scored(net, held_out, cut, device)
            rows.append({"control": name, **scores, "steps": run.step})
            columns.append(shown)
            print(rows[-1], flush=True)
        starts = {"aligned": "what (a) to (c) begin with", "warped": "what (d) begins with"}
        rows = [{"control": starts[start], **scores} for start, scores in begun.items()] + rows
        sheet = torch.cat([torch.cat(row, dim=-1) for row in zip(*columns, truths(held_out), strict=True)], dim=-2)
        picture = ((sheet.clamp(-1, 1) + 1) * 127.5).byte().permute(1, 2, 0).numpy()
        Image.fromarray(picture).save(self.output / "sheet.png")
        record("generator-ablation", rows, self)


@dataclass(frozen=True)
class Long(Recorded):
    """Generate a long video."""

    seconds: float = 60.0
    """Length of the video."""
    size: int = 256
    """Side of the video, px."""
    motion: str = "talking"
    """A bundled performance."""
    weights: Path | None = None
    """Of the compact generator; None: those that are shipped."""
    strips: int = 6
    """Borders of windows that are written as strips."""
    out: Path = OUT / "generator_long"
    """Folder of the strips."""

    def run(self) -> None:
        """Generate, measure, record."""
        portrait, there = demo(open_head(), self.size, self.motion)
        count = round(self.seconds * FPS)
        both = [*there, *there[-2:0:-1]]
        states = [both[i % len(both)] for i in range(count)]
        learned = make_generator(portrait, GeneratorOptions("compact", weights=self.weights)).frames(states)
        warped = make_generator(portrait, GeneratorOptions("warp")).frames(states)
        stride = CompactPainter.window - CompactPainter.overlap
        kept: dict[int, np.ndarray] = {}
        steps = np.zeros((2, count - 1))
        ends = range(0, FPS, 3), range(count - FPS, count, 3)
        borders = [stride * (1 + i * (count // stride // (self.strips + 1))) for i in range(1, self.strips + 1)]
        wanted = {*ends[0], *ends[1]} | {b + i for b in borders for i in range(-3, 5)}
        before: tuple[np.ndarray, np.ndarray] | None = None
        started = time.perf_counter()
        for i, pair in enumerate(zip(learned, warped, strict=True)):
            if before is not None:
                steps[:, i - 1] = [
                    np.abs(now.astype(float) - then).mean() for now, then in zip(pair, before, strict=True)
                ]
            before = pair
            if i in wanted:
                kept[i] = pair[0]
        seconds = (time.perf_counter() - started) / count
        ratio = steps[0] / np.maximum(steps[1], 1e-3)
        at_border = np.asarray(
            [(i + 1) % stride <= CompactPainter.overlap and i + 1 >= stride for i in range(count - 1)]
        )
        self.out.mkdir(parents=True, exist_ok=True)
        for b in borders:
            write_image(self.out / f"border-{b:05}.png", np.concatenate([kept[b + i] for i in range(-3, 5)], axis=1))
        photo = portrait.crop.extract(portrait.image)
        first, last = (csim(photo, [kept[i] for i in end]) for end in ends)
        values = {
            "CSIM to the photo, first second": first,
            "CSIM to the photo, last second": last,
            "change at borders of windows over elsewhere": float(
                np.median(ratio[at_border]) / np.median(ratio[~at_border])
            ),
            "change of the picture over the warp's": float(np.median(ratio)),
            "s a frame, warp and compact together": seconds,
            "peak memory, GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        }
        rows = [{"what": what, "value": value} for what, value in values.items()]
        record("generator-long", rows, self, frames=count, size=self.size)


def scenes_of(folder: Path) -> list[Path]:
    """Return the scenes of a folder, in order."""
    return sorted(p for p in folder.glob("*.safetensors") if not p.name.endswith(".motion.safetensors"))


def window(scene: Scene, number: int, cut: Cut) -> tuple[Controls, torch.Tensor]:
    """Return controls and frames of one window, whole pictures, the same for every arm."""
    whole = replace(cut, size=scene.picture("photo").shape[0], augment=False)
    return batch([scene], np.random.default_rng(number), whole, 1)


def scored(
    net: CompactNet, scenes: list[Path], cut: Cut, device: torch.device
) -> tuple[dict[str, float], dict[str, float], list[torch.Tensor]]:
    """Return PSNR by part of the picture, the same of what is begun with, and the last frame of each scene."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    begun: defaultdict[str, list[float]] = defaultdict(list)
    shown = []
    for number, path in enumerate(scenes):
        controls, frames = window(Scene(path), number, cut)
        made = sample(net, controls.to(device), Sampling()).clean.clamp(-1, 1).cpu()
        head = controls.regions[:, :, None] != 255
        masks = {"frame": torch.ones_like(head), "face": head, "mouth": importance(controls) > 2}
        for name, mask in masks.items():
            for psnr, picture in ((found, made), (begun, controls.warped)):
                error = (mask * (picture - frames).square()).sum() / (3 * mask.sum())
                psnr[name].append(10.0 * float(torch.log10(4.0 / error)))
        shown.append(made[0, -1])
    means = [{name: float(np.mean(values)) for name, values in psnr.items()} for psnr in (found, begun)]
    return means[0], means[1], shown


def truths(scenes: list[Path]) -> list[torch.Tensor]:
    """Return the true last frame of each scene."""
    return [window(Scene(path), number, Cut(0, 4))[1][0, -1] for number, path in enumerate(scenes)]


def csim(photo: np.ndarray, frames: list[np.ndarray]) -> float:
    """Return the mean cosine of dlib's embeddings of frames and photo."""
    embed = DlibIdentity()

    def embedding(image: np.ndarray) -> np.ndarray:
        points = Follower(Landmarks68())(image)
        assert points is not None, "dlib finds no face"
        return embed(image, points)

    of_photo = embedding(photo)
    return float(np.mean([cosine(of_photo, embedding(frame)) for frame in frames]))


if __name__ == "__main__":
    tyro.cli(Ablation | Long, description=__doc__).run()
