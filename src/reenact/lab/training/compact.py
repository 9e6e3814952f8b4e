# SPDX-License-Identifier: Apache-2.0
"""Training of the compact generator on scenes (data/scenes.py)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from reenact.generator.diffusion.compact.flow import Sampling, sample
from reenact.generator.diffusion.compact.network import CompactConfig, CompactNet
from reenact.generator.diffusion.controls import Controls
from reenact.head.regions import EMPTY

from .data.scenes import Scene
from .generator_batches import Cut, batch
from .generator_loss import generator_losses, importance, mouths, palette_distance, slope
from .loop import Losses, Run, RunOptions, Schedule, seeded

_UNTOLD = 0.1  # of the windows: nothing is told but what the flow begins with, for guidance
_AT_START = 0.3  # of the windows: the flow's first moment, where a few steps do most


@dataclass(frozen=True)
class CompactTraining:
    """What `reenact train generator --preset compact` may set."""

    schedule: Schedule
    config: CompactConfig
    cut: Cut
    clips: int = 2
    """Windows of a step."""


def train_compact(
    settings: CompactTraining, scenes: Sequence[Path], held_out: Sequence[Path], options: RunOptions
) -> Run:
    """Train on scenes (data/scenes.py); goes on from the checkpoint that is in the folder."""
    device = options.device
    model = seeded(lambda: CompactNet(settings.config)).to(device)
    run = Run(model, options, settings.schedule)
    learnt, unseen = [Scene(p) for p in scenes], [Scene(p) for p in held_out]

    def losses(step: int) -> Losses:
        draw = np.random.default_rng(step)
        controls, frames = batch(learnt, draw, settings.cut, settings.clips)
        controls, frames = controls.to(device), frames.to(device)
        time = torch.from_numpy(np.maximum(draw.random(len(frames)) * (1 + _AT_START) - _AT_START, 0.0)).float()
        noise = torch.randn(len(frames), 1, *frames.shape[2:], generator=torch.Generator().manual_seed(step))
        noise = noise * float(draw.random() < 0.5)  # the other steps begin without, as sampling does
        time, noise = time.to(device), noise.to(device)
        use = frozenset() if draw.random() < _UNTOLD else None
        return compact_losses(model, controls, frames, time, noise, use)

    def check(run: Run) -> dict[str, float]:
        return _score(run, settings, unseen)

    run.train(losses, check_every=250, check=check)
    return run


def compact_losses(
    net: CompactNet,
    controls: Controls,
    frames: Tensor,
    time: Tensor | None = None,
    noise: Tensor | None = None,
    use: Set[str] | None = None,
) -> Losses:
    """Compute the losses of one training step, with gradients.

    Args:
        net: on the device of the tensors.
        controls: of B clips of F frames.
        frames: [B, F, 3, S, S] from -1 to 1, the true ones.
        time: [B] of the flow, 0 to 1; None for its beginning.
        noise: [B, 1, 3, S, S] of unit variance, see `begin`; None for none.
        use: what of the controls is told, see `CompactNet.conditions`; None for all.

    Returns:
        See `generator_losses`; "loss" is what is minimised.
    """
    time = frames.new_zeros(len(frames)) if time is None else time
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=frames.device.type == "cuda"):
        told = net.conditions(controls, use)
        begun = told.start if noise is None else begin(told.start, controls, noise)
        clean = net(on_the_way(begun, frames, time), time, told).clean
    return generator_losses(clean.float(), frames, importance(controls), mouths(controls))


def begin(start: Tensor, controls: Controls, noise: Tensor) -> Tensor:
    """Add noise [B, 1, 3, S, S] to what the flow begins with [B, F, 3, S, S].

    All frames of a clip share it, so that it cannot flicker. Its standard deviation, of colours from -1 to 1, is 0.01,
    and 0.3 more where the photo does not show the head.
    """
    drawn = (controls.regions != EMPTY)[:, :, None]
    return start + (0.01 + 0.3 * drawn * (1.0 - controls.visibility)) * noise


def on_the_way(begun: Tensor, frames: Tensor, time: Tensor) -> Tensor:
    """Between begun and clean frames [B, F, 3, S, S] at time [B]."""
    return torch.lerp(begun, frames, time.view(-1, 1, 1, 1, 1))


@torch.no_grad()
def _score(run: Run, settings: CompactTraining, unseen: Sequence[Scene]) -> dict[str, float]:
    """Of the averaged weights on whole pictures of people never learnt from: dB gained over what the flow starts from.

    sharpness: mean slope of the painted, of the true frames'; mouth_palette: how far the colours of mouths are from
    the true ones', wherever they are (`palette_distance`); *_start: that of what the flow starts from.
    Writes FOLDER/samples/STEP.png: photo, warped photo, painted, true frame.
    face: where the head is drawn; inner: lips and mouth; mouth: its inside.
    """
    device = run.options.device
    model = run.averaged(CompactNet(settings.config).to(device))
    gains: defaultdict[str, list[float]] = defaultdict(list)
    rows: list[Tensor] = []
    for number in range(14):
        scene = unseen[number % len(unseen)]
        side = scene.picture("photo").shape[0]
        cut = replace(settings.cut, size=side, augment=False)
        controls, frames = batch([scene], np.random.default_rng(number), cut, 1)
        controls, frames = controls.to(device), frames.to(device)
        painted = sample(model, controls, Sampling()).clean.clamp(-1, 1)
        weight = importance(controls)
        inside = mouths(controls)
        where = {
            "frame": torch.ones_like(weight) > 0,
            "face": controls.regions[:, :, None] != 255,
            "inner": weight > 2,
            "mouth": inside,
        }
        started = model.start(controls)
        if inside.any():
            for name, picture in (("mouth_palette_start", started), ("mouth_palette", painted)):
                gains[name].append(float(palette_distance(picture, frames, inside) / inside.sum()))
        for name, mask in where.items():
            if not mask.any():
                continue
            errors = [(mask * e.square()).sum() / mask.sum() for e in (started - frames, painted - frames)]
            gains[f"{name}_db_gained"].append(10.0 * float(torch.log10(errors[0] / errors[1])))
            slopes = [(mask * slope(x)).sum() for x in (started, painted, frames)]
            gains[f"{name}_sharpness_start"].append(float(slopes[0] / slopes[2]))
            gains[f"{name}_sharpness"].append(float(slopes[1] / slopes[2]))
        if number < 7:
            shown = (controls.reference[0], controls.warped[0, -1], painted[0, -1], frames[0, -1])
            rows.append(torch.cat(shown, dim=-1).cpu())
    _save_picture(torch.cat(rows, dim=-2), run.folder / "samples" / f"{run.step:07}.png")
    return {name: float(np.mean(values)) for name, values in gains.items()}


def _save_picture(picture: Tensor, path: Path) -> None:
    """[3, H, W] from -1 to 1."""
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(((picture.clamp(-1, 1) + 1) * 127.5).byte().permute(1, 2, 0).numpy()).save(path)
