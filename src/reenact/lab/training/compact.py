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

_UNCOND = 0.1  # share of the windows without conditioning but the start of the flow, for guidance
_AT_START = 0.3  # share of the windows at time 0 of the flow, where a few steps do most


@dataclass(frozen=True)
class CompactTraining:
    """Settings of `reenact train generator --preset compact`."""

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
    training_set, held_out_set = [Scene(p) for p in scenes], [Scene(p) for p in held_out]

    def losses(step: int) -> Losses:
        draw = np.random.default_rng(step)
        controls, frames = batch(training_set, draw, settings.cut, settings.clips)
        controls, frames = controls.to(device), frames.to(device)
        time = torch.from_numpy(np.maximum(draw.random(len(frames)) * (1 + _AT_START) - _AT_START, 0.0)).float()
        noise = torch.randn(len(frames), 1, *frames.shape[2:], generator=torch.Generator().manual_seed(step))
        noise = noise * float(draw.random() < 0.5)  # the other steps begin without, as sampling does
        time, noise = time.to(device), noise.to(device)
        use = frozenset() if draw.random() < _UNCOND else None
        return compact_losses(model, controls, frames, time, noise, use)

    def check(run: Run) -> dict[str, float]:
        return _score(run, settings, held_out_set)

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
        use: which of the controls condition the prediction, see `CompactNet.conditions`; None for all.

    Returns:
        See `generator_losses`; "loss" is what is minimised.
    """
    time = frames.new_zeros(len(frames)) if time is None else time
    with torch.autocast(frames.device.type, torch.bfloat16, enabled=frames.device.type == "cuda"):
        cond = net.conditions(controls, use)
        begun = cond.start if noise is None else begin(cond.start, controls, noise)
        clean = net(torch.lerp(begun, frames, time.view(-1, 1, 1, 1, 1)), time, cond).clean
    return generator_losses(clean.float(), frames, importance(controls), mouths(controls))


def begin(start: Tensor, controls: Controls, noise: Tensor) -> Tensor:
    """Add noise [B, 1, 3, S, S] to the start of the flow [B, F, 3, S, S].

    All frames of a clip share it, so that it cannot flicker. Its standard deviation, of colours from -1 to 1, is 0.01,
    and 0.3 more where the photo does not show the head.
    """
    head = (controls.regions != EMPTY)[:, :, None]
    return start + (0.01 + 0.3 * head * (1.0 - controls.visibility)) * noise


@torch.no_grad()
def _score(run: Run, settings: CompactTraining, held_out: Sequence[Scene]) -> dict[str, float]:
    """Measure the averaged weights on whole pictures of held-out people: dB gained over the start of the flow.

    sharpness: mean slope of the prediction as a share of the true frames'; mouth_palette: distance of the colours of
    mouths from the true ones', wherever they are (`palette_distance`); *_start: that of the start of the flow.
    Writes FOLDER/samples/STEP.png: photo, warped photo, prediction, true frame.
    face: where the head is rendered; inner: lips and mouth; mouth: its inside.
    """
    device = run.options.device
    model = run.averaged(CompactNet(settings.config).to(device))
    gains: defaultdict[str, list[float]] = defaultdict(list)
    rows: list[Tensor] = []
    for number in range(14):
        scene = held_out[number % len(held_out)]
        side = scene.picture("photo").shape[0]
        cut = replace(settings.cut, size=side, augment=False)
        controls, frames = batch([scene], np.random.default_rng(number), cut, 1)
        controls, frames = controls.to(device), frames.to(device)
        predicted = sample(model, controls, Sampling()).clean.clamp(-1, 1)
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
            for name, picture in (("mouth_palette_start", started), ("mouth_palette", predicted)):
                gains[name].append(float(palette_distance(picture, frames, inside) / inside.sum()))
        for name, mask in where.items():
            if not mask.any():
                continue
            errors = [(mask * e.square()).sum() / mask.sum() for e in (started - frames, predicted - frames)]
            gains[f"{name}_db_gained"].append(10.0 * float(torch.log10(errors[0] / errors[1])))
            slopes = [(mask * slope(x)).sum() for x in (started, predicted, frames)]
            gains[f"{name}_sharpness_start"].append(float(slopes[0] / slopes[2]))
            gains[f"{name}_sharpness"].append(float(slopes[1] / slopes[2]))
        if number < 7:
            row = (controls.reference[0], controls.warped[0, -1], predicted[0, -1], frames[0, -1])
            rows.append(torch.cat(row, dim=-1).cpu())
    _save_picture(torch.cat(rows, dim=-2), run.folder / "samples" / f"{run.step:07}.png")
    return {name: float(np.mean(values)) for name, values in gains.items()}


def _save_picture(picture: Tensor, path: Path) -> None:
    """Write a picture [3, H, W] from -1 to 1."""
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(((picture.clamp(-1, 1) + 1) * 127.5).byte().permute(1, 2, 0).numpy()).save(path)
