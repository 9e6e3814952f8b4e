# SPDX-License-Identifier: Apache-2.0
"""Training of the Wan generator (experimental) on scenes.

`accelerate launch` or `torchrun` make several processes train one model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Generator, Tensor, nn
from torch.nn.functional import avg_pool2d

from reenact.generator.diffusion.wan.base import flow_shift, load_conditioned, load_scheduler, load_vae
from reenact.generator.diffusion.wan.conditioned import ConditionedWan, LatentConditions
from reenact.generator.diffusion.wan.extra import required
from reenact.generator.diffusion.wan.latents import latent_count
from reenact.generator.diffusion.wan.plan import DRIVING, FRAMES, INPUTS, WanPlan
from reenact.generator.diffusion.wan.sampling import WEIGHTS
from reenact.head.regions import EYEBALL, MOUTH_INTERIOR, region_ids
from reenact.media.errors import InputError
from reenact.media.progress import silent
from reenact.media.tensors import write_tensors

from .loop import Losses, Run, RunOptions, Schedule, seeded
from .wan_data import Sample, Windows, together

_MOUTH = region_ids("lips", *MOUTH_INTERIOR)
_EYES = region_ids("eyelids", "eye_socket", "eyelashes", *EYEBALL)


@dataclass(frozen=True)
class WanTraining:
    """What a run is. The defaults are the paper's batch and learning rate; its 30 epochs of 4,000 clips on 4 GPUs are
    30,000 steps there.
    """

    plan: WanPlan
    schedule: Schedule
    frames: int = FRAMES
    """Of a window: 1 more than a multiple of 4."""
    batch: int = 1
    """Windows of a step and process."""
    mouth: float = 3.0
    """Weight of latents where the driven head's mouth is; elsewhere 1."""
    eyes: float = 2.0
    drop: float = 0.1
    """Share of the windows without the driving inputs: the unconditional prediction of guidance."""
    drop_one: float = 0.05
    """Share of the windows in which an input is left out, for each by itself."""
    carry: float = 0.3
    """Share of the windows whose first frame, or first 5, are inputs, as in all windows of a video but the first."""
    dtype: torch.dtype = torch.bfloat16
    """Of the frozen weights and of the computation; trained weights are float32."""
    checkpointing: bool = True
    """Compute activations twice instead of keeping them."""
    prompt: Path | None = None
    """A safetensors file with `prompt_embeds` of a text; zeros if None."""
    check_every: int = 500


def train_wan(settings: WanTraining, scenes: Sequence[Path], held_out: Sequence[Path], options: RunOptions) -> Run:
    """Train on scenes (data/scenes.py); goes on from the checkpoint that is in the folder.

    Writes FOLDER/config.json and FOLDER/trained.safetensors, which WanGenerator.from_folder reads, and log.jsonl;
    latents are kept in FOLDER/latents. Raises InputError.
    """
    folder = options.folder
    state = required("accelerate").PartialState(cpu=options.device.type == "cpu")
    where = state.device if state.num_processes > 1 else options.device
    plan, main = settings.plan, state.is_main_process
    vae = load_vae(plan.base)
    latent_count(settings.frames, vae.config.scale_factor_temporal)
    model = seeded(partial(load_conditioned, plan, vae, settings.dtype, settings.prompt)).to(where)
    grid = (int(vae.config.scale_factor_temporal), int(vae.config.scale_factor_spatial))
    del vae
    if settings.checkpointing:
        model.transformer.enable_gradient_checkpointing()
    images = model.transformer.config.image_dim is not None
    side = grid[1] * model.patch[1]
    learnt, unseen = (Windows(s, folder / "latents", settings.frames, plan.base, side) for s in (scenes, held_out))
    if learnt.size != unseen.size:
        raise InputError(f"scenes are of {learnt.size} px, those held out of {unseen.size} px; want one size")
    for windows in (learnt, unseen):
        windows.encode(where, options.progress, state.process_index, state.num_processes, images=images)
    state.wait_for_everyone()
    run = Run(
        model,
        replace(options, device=where, progress=options.progress if main else silent),
        settings.schedule,
        writes=main,
        agreed=bool if state.num_processes == 1 else lambda mine: _all_would(mine, where),
    )
    if main:
        plan.save(folder)
    stepped = model if state.num_processes == 1 else nn.parallel.DistributedDataParallel(model)
    learner = _Learner(settings, stepped, learnt.blank(where), flow_shift(load_scheduler(plan.base)), grid)

    def losses(step: int) -> Losses:
        draw = Generator().manual_seed(
            step * state.num_processes + state.process_index  # each its own windows
        )
        rows = torch.randint(len(learnt), (settings.batch,), generator=draw).tolist()
        return learner.losses(together([learnt.sample(row, where) for row in rows]), draw)

    def check(run: Run) -> dict[str, float]:
        with _averaged(run):
            return _held_out_loss(model, learner, unseen, where)

    run.train(losses, check_every=settings.check_every, check=check)
    if main:
        write_tensors(folder / WEIGHTS, run.average)
    state.wait_for_everyone()
    return run


class _Learner:
    """A step's losses, everything random drawn from the generator given."""

    def __init__(
        self, settings: WanTraining, model: nn.Module, grey: Tensor, shift: float, grid: tuple[int, int]
    ) -> None:
        self.settings, self.model, self.grey, self.shift, self.grid = settings, model, grey, shift, grid

    def losses(self, sample: Sample, draw: Generator) -> Losses:
        settings, device = self.settings, sample.clip.device
        count = len(sample.clip)
        sigma = drawn_sigma(count, self.shift, settings.plan.noise, draw).to(device)
        used = self._input_mask(count, draw).to(device)
        known = 0
        if float(torch.rand((), generator=draw)) < settings.carry:
            known = min(1 + int(torch.randint(2, (), generator=draw)), sample.clip.shape[2] - 1)
        return {"loss": self.loss(sample, sigma, used, known, draw).mean()}

    def loss(self, sample: Sample, sigma: Tensor, used: Tensor, known: int, draw: Generator) -> Tensor:
        """Compute the loss of each window [B]."""
        device = sample.clip.device
        noise, photo_noise = (
            torch.randn(x.shape, generator=draw).to(device)  # on the CPU: the same on every device
            for x in (sample.clip, sample.photo)
        )
        latents = LatentConditions(sample.photo, photo_noise, self.grey, sample.clip, known, sample.image_tokens)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.settings.dtype == torch.bfloat16):
            velocity = self.model(_noised(sample.clip, noise, sigma), sigma, latents, sample.controls, used)
        weights = region_weights(sample.controls.regions, self.grid, self.settings.mouth, self.settings.eyes)
        return _flow_loss(velocity, sample.clip, noise, weights, known)

    def _input_mask(self, count: int, draw: Generator) -> Tensor:
        """Sample which inputs are used [B, 6]: 1, or 0 where one is left out."""
        one = torch.rand(count, len(INPUTS), generator=draw) >= self.settings.drop_one
        cond = torch.rand(count, 1, generator=draw) >= self.settings.drop
        kept = torch.tensor([name not in DRIVING for name in INPUTS])
        return (one & (cond | kept)).float()


@torch.no_grad()
def _held_out_loss(
    model: ConditionedWan, learner: _Learner, windows: Windows, device: torch.device
) -> dict[str, float]:
    """Average the loss at some noise levels with all inputs; the noise is the same every time."""
    model.eval()
    levels = [s for s in (0.3, 0.6, 0.9) if model.plan.noise[0] <= s <= model.plan.noise[1]] or [model.plan.noise[1]]
    plain = _Learner(learner.settings, model, learner.grey, learner.shift, learner.grid)
    found: dict[str, list[Tensor]] = {}
    for number in range(min(len(windows), 16)):
        sample = windows.sample(number, device)
        on = torch.ones(1, len(INPUTS), device=device)
        for level in levels:
            draw = Generator().manual_seed(number)
            loss = plain.loss(sample, torch.full((1,), level, device=device), on, 0, draw)
            found.setdefault(f"held_out_{level:g}", []).append(loss.cpu())
    return {name: float(torch.cat(values).mean()) for name, values in found.items()}


@contextmanager
def _averaged(run: Run) -> Iterator[None]:
    """Give the model its averaged weights, within the block."""
    current = {name: value.detach().clone() for name, value in run.kept().items()}
    try:
        run.model.load_state_dict(run.average, strict=False)
        yield
    finally:
        run.model.load_state_dict(current, strict=False)


def _all_would(mine: bool, device: torch.device) -> bool:
    """Tell whether every process would go on: one that stopped alone would leave the others waiting."""
    would = torch.tensor(int(mine), device=device)
    torch.distributed.all_reduce(would, torch.distributed.ReduceOp.MIN)
    return bool(would)


def drawn_sigma(count: int, shift: float, within: tuple[float, float], draw: Generator) -> Tensor:
    """Sample noise levels [count] as the scheduler's steps are spread: evenly, then moved towards noise by `shift`."""
    low, high = (level / (shift - (shift - 1.0) * level) for level in within)
    even = low + (high - low) * torch.rand(count, generator=draw)
    return shift * even / (1.0 + (shift - 1.0) * even)


def _noised(clip: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """Mix clip and noise [B, z, T, h, w] at noise level sigma [B]; the velocity there is `noise - clip`."""
    level = sigma[:, None, None, None, None]
    return (1.0 - level) * clip + level * noise


def region_weights(regions: Tensor, grid: tuple[int, int], mouth: float, eyes: float) -> Tensor:
    """Return the weight of each latent [B, 1, T, h, w], 1 on average, more at the driven head's mouth and eyes.

    regions: [B, F, S, S] labels. grid: frames and px that a latent stands for. mouth, eyes: weight beside 1 elsewhere.
    """
    frames, pixels = grid
    weight = torch.ones(regions.shape, device=regions.device)
    for labels, value in ((_MOUTH, mouth), (_EYES, eyes)):
        weight[torch.isin(regions, torch.tensor(labels, dtype=regions.dtype, device=regions.device))] = value
    small = avg_pool2d(weight, pixels)
    first, others = small[:, :1], small[:, 1:]
    found = torch.cat([first, others.unflatten(1, (-1, frames)).mean(2)], dim=1)
    return (found / found.mean(dim=(1, 2, 3), keepdim=True))[:, None]


def _flow_loss(velocity: Tensor, clip: Tensor, noise: Tensor, weights: Tensor, known: int) -> Tensor:
    """Compute the weighted mean square error [B] of [B, z, T, h, w] without the first `known` latents."""
    error = (velocity - (noise - clip)).square().mean(dim=1, keepdim=True)
    return (weights * error)[:, :, known:].mean(dim=(1, 2, 3, 4))
