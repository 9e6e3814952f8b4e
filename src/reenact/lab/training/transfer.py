# SPDX-License-Identifier: Apache-2.0
"""Training of expression transfer on shards of receivers (data/transfer_shards.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor

from reenact.head.levels import open_levels
from reenact.head.open import open_head
from reenact.transfer.network import TransferNet
from reenact.transfer.subject_features import SubjectFeatures, face_rows, subject_features

from .loop import Losses, Run, RunOptions, Schedule, seeded
from .shards import ShardRows

_SOFT_MM = 0.5  # below which an error counts as its square
_WEIGHTS = {"offset": 1.0, "little": 0.02, "bend": 1.0, "contact": 0.5}


@dataclass(frozen=True)
class TransferTraining:
    """What `reenact train transfer` may set."""

    schedule: Schedule
    people: int = 4
    """Of a step; each gives all their performances."""


def train_transfer(
    settings: TransferTraining, shards: Sequence[Path], held_out: Sequence[Path], options: RunOptions
) -> Run:
    """Train on shards of data/transfer_shards.py; goes on from the checkpoint that is in the folder."""
    device = options.device
    model = seeded(TransferNet).to(device)
    run = Run(model, options, settings.schedule)
    learnt, unseen = Receivers(shards, device), Receivers(held_out, device)
    surface = _Surface(device)

    def losses(step: int) -> Losses:
        draw = torch.Generator().manual_seed(step)
        who = torch.randperm(len(learnt), generator=draw)[: settings.people].tolist()
        codes, offsets = learnt.clip(who, int(torch.randint(learnt.clips, (), generator=draw)))
        seen = codes + 0.02 * torch.randn(codes.shape, generator=draw).to(device) * (codes != 0)  # a tracker's jitter
        rows, edges, pairs = surface.some(draw)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            found = model(learnt.features(who), seen, rows)
        return _losses(1000.0 * found.float() - offsets[:, :, rows], edges, pairs)

    def check(run: Run) -> dict[str, float]:
        return score(run, unseen)

    run.train(losses, check_every=500, check=check)
    return run


@torch.no_grad()
def score(run: Run, unseen: Receivers) -> dict[str, float]:
    """Of the averaged weights on people never learnt from: mm left, and as a share of doing nothing."""
    model = run.averaged(TransferNet().to(unseen.device))
    left, there = [], []
    for i in range(len(unseen)):
        who = unseen.features([i])
        for clip in range(unseen.clips):
            codes, offsets = unseen.clip([i], clip)
            left.append((1000.0 * model(who, codes) - offsets).norm(dim=-1))
            there.append(offsets.norm(dim=-1))
    error, size = torch.stack(left).flatten(), torch.stack(there).flatten()
    some = error[:: max(1, len(error) // 1_000_000)]
    return {
        "mean_mm": float(error.mean()),
        "p95_mm": float(some.quantile(0.95)),
        "left": float(error.square().mean().sqrt() / size.square().mean().sqrt()),
    }


class Receivers(ShardRows):
    """The people of some shards, read as they are asked for; what G is told about each is worked out once."""

    def __init__(self, shards: Sequence[Path], device: torch.device) -> None:
        super().__init__(shards)
        self.device = device
        self.clips = self.shape("codes")[1]  # performances of each person
        self._features: dict[int, SubjectFeatures] = {}

    def features(self, who: Sequence[int]) -> SubjectFeatures:
        """Of B people."""
        for number in who:
            if number not in self._features:
                self._features[number] = subject_features(self.rows("neutral", [number]).to(self.device))
        found = [self._features[number] for number in who]
        return SubjectFeatures(*(torch.cat([getattr(f, n.name) for f in found]) for n in fields(SubjectFeatures)))

    def clip(self, who: Sequence[int], number: int) -> tuple[Tensor, Tensor]:
        """codes [B, T, 52], offsets [B, T, N, 3] mm of one performance of each."""
        codes, offsets = (self.rows(name, who, number).to(self.device).float() for name in ("codes", "offsets"))
        return codes, offsets


class _Surface:
    """The face's edges [2, E], and the pairs of vertices that touch [2, P], as rows of the N face vertices."""

    def __init__(self, device: torch.device) -> None:
        fit, rows = open_levels()[1], face_rows()
        place = torch.full((len(fit),), -1, dtype=torch.long)
        place[rows] = torch.arange(len(rows))
        a, b, c = fit.faces.unbind(1)
        edges = place[torch.stack([torch.cat([a, b, c]), torch.cat([b, c, a])])]
        top = open_head().topology
        pairs = place[torch.cat([top.lip_contacts, top.lid_contacts]).T]
        self._device = device
        self._edges, self._pairs = edges[:, (edges >= 0).all(0)], pairs[:, (pairs >= 0).all(0)]

    def some(self, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Rows of the face [n], and edges and pairs between them: enough to learn from at a step."""
        edges = self._edges[:, torch.randperm(self._edges.shape[1], generator=draw)[:1500]]
        rows, place = torch.cat([edges.flatten(), self._pairs.flatten()]).unique(return_inverse=True)
        edges, pairs = place[: edges.numel()].reshape(2, -1), place[edges.numel() :].reshape(2, -1)
        return rows.to(self._device), edges.to(self._device), pairs.to(self._device)


def _losses(error: Tensor, edges: Tensor, pairs: Tensor) -> Losses:
    """offset, little: mm, squared where small and not, for most of a face is to keep still; bend: mm of an edge's two
    ends against one another, which is how normals go wrong; contact: the same of lips and lids.
    """
    across, parted = (error[..., ends[0], :] - error[..., ends[1], :] for ends in (edges, pairs))
    found = {"offset": _robust(error), "bend": _robust(across), "contact": _robust(parted)}
    found["little"] = error.norm(dim=-1).mean()
    loss = torch.stack([_WEIGHTS[name] * value for name, value in found.items()]).sum()
    return {"loss": loss, **found}


def _robust(error: Tensor) -> Tensor:
    """Mean length of [..., 3] mm, squared where small."""
    return 2.0 * _SOFT_MM * ((error.square().sum(-1) + _SOFT_MM**2).sqrt() - _SOFT_MM).mean()
