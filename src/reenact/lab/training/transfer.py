# SPDX-License-Identifier: Apache-2.0
"""Training of expression transfer on shards of subjects (data/transfer_shards.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
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


def train_transfer(
    schedule: Schedule, shards: Sequence[Path], held_out: Sequence[Path], options: RunOptions, *, batch: int = 4
) -> Run:
    """Train on shards of data/transfer_shards.py, and continue from the checkpoint in the folder if there is one.

    Args:
        schedule: steps and learning rate.
        shards: what is trained on.
        held_out: shards of people who are not trained on, for the scores.
        options: folder, device and time.
        batch: subjects of a step, each in one performance.
    """
    device = options.device
    model = seeded(TransferNet).to(device)
    run = Run(model, options, schedule)
    training_set, held_out_set = Subjects(shards, device), Subjects(held_out, device)
    surface = _Surface(device)

    def losses(step: int) -> Losses:
        draw = torch.Generator().manual_seed(step)
        numbers = torch.randperm(len(training_set), generator=draw)[:batch].tolist()
        clip = int(torch.randint(training_set.clips, (), generator=draw))
        codes, offsets = training_set.clip(numbers, clip)
        noisy = codes + 0.02 * torch.randn(codes.shape, generator=draw).to(device) * (codes != 0)  # a tracker's jitter
        rows, edges, pairs = surface.some(draw)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            predicted = model(training_set.features(numbers), noisy, rows)
        return _losses(1000.0 * predicted.float() - offsets[:, :, rows], edges, pairs)

    def check(run: Run) -> dict[str, float]:
        return score(run, held_out_set)

    run.train(losses, check_every=500, check=check)
    return run


@torch.no_grad()
def score(run: Run, held_out: Subjects) -> dict[str, float]:
    """Measure the averaged weights on held-out subjects: mm left, and as a share of doing nothing."""
    model = run.averaged(TransferNet().to(held_out.device))
    errors, sizes = [], []
    for i in range(len(held_out)):
        features = held_out.features([i])
        for clip in range(held_out.clips):
            codes, offsets = held_out.clip([i], clip)
            errors.append((1000.0 * model(features, codes) - offsets).norm(dim=-1))
            sizes.append(offsets.norm(dim=-1))
    error, size = torch.stack(errors).flatten(), torch.stack(sizes).flatten()
    some = error[:: max(1, len(error) // 1_000_000)]
    return {
        "mean_mm": float(error.mean()),
        "p95_mm": float(some.quantile(0.95)),
        "left": float(error.square().mean().sqrt() / size.square().mean().sqrt()),
    }


class Subjects(ShardRows):
    """The subjects of some shards, read as they are asked for; the features of each are computed once."""

    def __init__(self, shards: Sequence[Path], device: torch.device) -> None:
        super().__init__(shards)
        self.device = device
        self.clips = self.shape("codes")[1]  # performances of each person
        self._features: dict[int, SubjectFeatures] = {}

    def features(self, numbers: Sequence[int]) -> SubjectFeatures:
        """Return the features of B subjects."""
        for number in numbers:
            if number not in self._features:
                self._features[number] = subject_features(self.rows("neutral", [number]).to(self.device))
        each = [self._features[number] for number in numbers]
        return SubjectFeatures(*(torch.cat([getattr(f, n.name) for f in each]) for n in fields(SubjectFeatures)))

    def clip(self, numbers: Sequence[int], clip: int) -> tuple[Tensor, Tensor]:
        """Return codes [B, T, 52] and offsets [B, T, N, 3] mm of one performance of B subjects."""
        codes, offsets = (self.rows(name, numbers, clip).to(self.device).float() for name in ("codes", "offsets"))
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
        """Sample the rows of the face [n] of one step, and the edges and pairs between them."""
        edges = self._edges[:, torch.randperm(self._edges.shape[1], generator=draw)[:1500]]
        rows, place = torch.cat([edges.flatten(), self._pairs.flatten()]).unique(return_inverse=True)
        edges, pairs = place[: edges.numel()].reshape(2, -1), place[edges.numel() :].reshape(2, -1)
        return rows.to(self._device), edges.to(self._device), pairs.to(self._device)


def _losses(error: Tensor, edges: Tensor, pairs: Tensor) -> Losses:
    """Compute the losses, mm.

    offset and little: of vertices, squared where small and not, for most of a face does not move. bend: of an edge's
    two ends against one another, which is how normals go wrong. contact: the same of lips and lids.
    """
    across, parted = (error[..., ends[0], :] - error[..., ends[1], :] for ends in (edges, pairs))
    terms = {"offset": _robust(error), "bend": _robust(across), "contact": _robust(parted)}
    terms["little"] = error.norm(dim=-1).mean()
    loss = torch.stack([_WEIGHTS[name] * value for name, value in terms.items()]).sum()
    return {"loss": loss, **terms}


def _robust(error: Tensor) -> Tensor:
    """Average the length of [..., 3] mm, squared where small."""
    return 2.0 * _SOFT_MM * ((error.square().sum(-1) + _SOFT_MM**2).sqrt() - _SOFT_MM).mean()
