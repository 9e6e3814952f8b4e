# SPDX-License-Identifier: Apache-2.0
"""The loop that every training here runs: time budget, exact resume, moving average of weights, a log to look at.

A step's data and randomness follow from its number alone, so a run that was killed and resumed does what it would have
done. A checkpoint is a folder of small safetensors files and a json beside them, replaced whole or not at all.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from reenact.media.errors import InputError
from reenact.media.progress import Progress, silent
from reenact.media.tensors import misfits, read_tensors, write_tensors

from .muon import Muon

Net = TypeVar("Net", bound=nn.Module)
_STATE = "state.json"


@dataclass(frozen=True)
class Schedule:
    """How long, and how fast to learn."""

    steps: int
    learning_rate: float
    warmup: int = 200
    final: float = 0.05
    """Share of the learning rate left at the last step (cosine)."""
    clip: float = 1.0
    """Largest norm of a gradient."""
    average: float = 0.999
    """Decay of the moving average of weights; it starts faster and settles."""
    weight_decay: float = 0.01
    optimiser: Literal["adamw", "muon"] = "adamw"
    """See muon.py."""

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, 0-based."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = min((step - self.warmup) / max(self.steps - self.warmup, 1), 1.0)
        cosine = 0.5 * (1.0 + float(torch.cos(torch.tensor(done * torch.pi))))
        return self.learning_rate * (self.final + (1.0 - self.final) * cosine)


Losses = dict[str, Tensor]
"""By name; "loss" is what is minimised."""


@dataclass(frozen=True)
class RunOptions:
    """Where a run is, on what, and how long it may take; nothing here changes what is learnt but `start`."""

    folder: Path
    """Of the checkpoint, from which a run goes on, and of log.jsonl."""
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    seconds: float = math.inf
    """Of training, not counting what prepares it."""
    start: dict[str, Tensor] | None = None
    """Weights to begin with where the folder has no checkpoint. A run of which a part is frozen, and therefore not in
    its checkpoint, needs them again to go on."""
    progress: Progress = silent
    clock: Callable[[], float] = time.perf_counter
    """Gives the seconds that `seconds` is measured on."""


def seeded(make: Callable[[], Net]) -> Net:
    """Make a network whose first weights are the same every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make()


def channels_last(net: Net) -> Net:
    """Lay the weights of convolutions out as they are fastest on a CPU."""
    return net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] torch types no such call


class Run:
    """A model being trained in a folder; continues from the checkpoint that is there.

    Of a model of which a part is frozen, only the rest is averaged and kept. Several processes may train one model,
    each with a Run of its own: one of them writes, and they agree on when time is over.
    """

    def __init__(
        self,
        model: nn.Module,
        options: RunOptions,
        schedule: Schedule,
        *,
        writes: bool = True,
        agreed: Callable[[bool], bool] = bool,
    ):
        """Go on from the checkpoint in the folder, or begin. Raises InputError for another network's checkpoint.

        writes: whether this process checks, logs and saves. agreed: whether all go on, of whether this one would.
        """
        options.folder.mkdir(parents=True, exist_ok=True)
        if options.start is not None:
            model.load_state_dict(options.start)
        self.model, self.options, self.schedule, self.step = model, options, schedule, 0
        self._writes, self._agreed = writes, agreed
        self._learned = [p for p in model.parameters() if p.requires_grad]
        self._frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
        self.average: dict[str, Tensor] = {}
        rate, decay = schedule.learning_rate, schedule.weight_decay
        if schedule.optimiser == "muon":
            self.optimiser: torch.optim.Optimizer = Muon(self._learned, rate, decay)
        else:
            self.optimiser = torch.optim.AdamW(self._learned, rate, betas=(0.9, 0.99), weight_decay=decay, fused=True)
        if (found := load_checkpoint(self.folder)) is not None:
            self._load(found[0], found[1]["step"])
        else:
            self.average = {k: v.detach().clone() for k, v in self.kept().items()}

    @property
    def folder(self) -> Path:
        return self.options.folder

    def weights(self) -> dict[str, Tensor]:
        """Return all averaged weights, with those that are frozen."""
        return self.model.state_dict() | self.average

    def averaged(self, net: Net) -> Net:
        """Load the averaged weights into another network of the same kind."""
        net.load_state_dict(self.weights())
        return net.eval()

    def kept(self) -> dict[str, Tensor]:
        """Return the model's state without what is frozen."""
        return {name: value for name, value in self.model.state_dict().items() if name not in self._frozen}

    def train(
        self,
        losses: Callable[[int], Losses],
        *,
        check_every: int,
        check: Callable[[Run], dict[str, float]],
    ) -> None:
        """Step until the schedule or the time is over; checkpoint and `check` every `check_every` steps and at the end.

        losses: of a step's number, with gradients. check: scores to log, of the averaged weights.
        """
        clock, begun = self.options.clock, self.step
        end = clock() + self.options.seconds
        sums: dict[str, float] = {}
        since, counted = clock(), 0
        while self.step < self.schedule.steps and self._agreed(clock() < end):
            try:
                found = self._one(losses)
            except KeyboardInterrupt:
                self.save()
                raise
            for name, value in found.items():
                sums[name] = sums.get(name, 0.0) + value
            counted += 1
            self.options.progress("training", self.step, self.schedule.steps)
            if self.step % check_every == 0:
                self._report(sums, counted, clock() - since, check)
                sums, since, counted = {}, clock(), 0
        if self.step > begun and counted:
            self._report(sums, counted, clock() - since, check)

    def _one(self, losses: Callable[[int], Losses]) -> dict[str, float]:
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.schedule.rate(self.step)
        found = losses(self.step)
        self.optimiser.zero_grad(set_to_none=True)
        found["loss"].backward()
        norm = nn.utils.clip_grad_norm_(self._learned, self.schedule.clip)
        if torch.isfinite(norm):  # a batch that overflows is left out, not learned from
            self.optimiser.step()
        self.step += 1
        keep = min(self.schedule.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.kept().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1.0 - keep)
                else:
                    self.average[name].copy_(value)
        return {name: float(value.detach()) for name, value in found.items()}

    def _report(
        self, sums: dict[str, float], counted: int, seconds: float, check: Callable[[Run], dict[str, float]]
    ) -> None:
        if not self._writes:
            return
        self.save()
        row = {"step": self.step, "rate": self.schedule.rate(self.step), "steps_per_second": counted / seconds}
        row |= {name: value / counted for name, value in sums.items()} | check(self)
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")

    def save(self) -> None:
        """Write the checkpoint; the old one stays until the new one is whole."""
        if not self._writes:
            return
        tensors = {f"model.{k}": v for k, v in self.kept().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.items()}
        for i, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{i}.{k}": torch.as_tensor(v) for k, v in state.items()}
        save_checkpoint(self.folder, tensors, {"step": self.step})

    def _load(self, tensors: dict[str, Tensor], step: int) -> None:
        part: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "optimiser": {}}
        for name, value in tensors.items():
            kind, rest = name.split(".", 1)
            part[kind][rest] = value
        device = next(self.model.parameters()).device
        frozen = {name: value for name, value in self.model.state_dict().items() if name in self._frozen}
        learned = {name.split(".")[0] for name in part["optimiser"]}
        said = misfits(self.model, frozen | part["model"])
        if not said and learned and len(learned) != len(self._learned):
            said = f"{len(learned)} of its parameters learned, {len(self._learned)} are to"
        if said:
            raise InputError(
                f"{self.folder} holds a checkpoint of another network ({said}); want another folder, or the options "
                "with which it was begun"
            )
        self.model.load_state_dict(frozen | part["model"])
        self.average = {k: v.to(device) for k, v in part["average"].items()}
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in part["optimiser"].items():
            i, field = name.split(".", 1)
            state.setdefault(int(i), {})[field] = value
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": state, "param_groups": groups})
        # Files hold rows; the fused optimiser goes through memory, which lies otherwise in channels_last weights.
        for parameter, held in self.optimiser.state.items():
            for field, value in held.items():
                if value.shape == parameter.shape:
                    held[field] = torch.empty_like(parameter).copy_(value)
        self.step = step


def save_checkpoint(folder: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write tensors and state. state.json names the files and is replaced last: an interruption leaves the old ones."""
    groups: list[dict[str, Tensor]] = []
    room = 0
    for name, tensor in tensors.items():
        if not groups or room < tensor.nbytes:
            groups.append({})
            room = 12_000_000  # bytes: some places let no larger files through
        groups[-1][name] = tensor
        room -= tensor.nbytes
    old = _state(folder).get("files", [])
    turn = "b" if any(name.startswith("a-") for name in old) else "a"
    files = [f"{turn}-{i:02}.safetensors" for i in range(len(groups))]
    for name, group in zip(files, groups, strict=True):
        write_tensors(folder / name, group)
    partial = folder / f".{_STATE}.partial"
    partial.write_text(json.dumps({**state, "files": files}), encoding="utf-8")
    partial.replace(folder / _STATE)
    for name in old:
        (folder / name).unlink(missing_ok=True)


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Read the checkpoint of a folder; None if there is none."""
    state = _state(folder)
    if not state:
        return None
    tensors: dict[str, Tensor] = {}
    for name in state.pop("files"):
        tensors |= read_tensors(folder / name, "part of a checkpoint")[0]
    return tensors, state


def _state(folder: Path) -> dict[str, Any]:
    path = folder / _STATE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
