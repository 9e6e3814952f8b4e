# SPDX-License-Identifier: Apache-2.0
"""Training of the dense network on synthetic portraits, which have exact truth, and on photographs (self-training)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from reenact.perception.dense.network import DenseNet, DenseOutput

from .dense_augment import augment, face_windows
from .dense_loss import DenseTruth, dense_losses, dense_scores
from .loop import Losses, Run, RunOptions, Schedule, channels_last, seeded
from .shards import ShardRows

_CHECKED = 8  # pictures at a time while scores are measured
_WHOLE_EVERY = 4
"""Of so many steps, one has whole pictures; the others have windows on faces, and twice as many of them."""


def train_dense(
    schedule: Schedule,
    shards: Sequence[Path],
    held_out: Sequence[Path],
    options: RunOptions,
    *,
    batch: int,
    size: int,
    window: int | None = None,
    frozen: int = 0,
    photographs: Sequence[Path] = (),
) -> Run:
    """Train on portraits and photographs, and continue from the checkpoint in the folder if there is one.

    The same arguments make the same weights on the same machine.

    Args:
        schedule: steps and learning rate.
        shards: of data/portraits.py, what is trained on.
        held_out: shards of people who are not trained on, for the scores.
        options: folder, device and time.
        batch: pictures of a step.
        size: side of the crops while training, px; smaller is faster, and a fine start for larger ones.
        window: side, px, of the windows of pictures that most steps are made of; None: all steps have whole ones. Half
            of a window is face, of a whole picture a quarter.
        frozen: first blocks of the trunk that stay as they begin; its stem stays too unless it is 0.
        photographs: shards of data/dense_photographs.py, of which a third of a step is.
    """
    device = options.device
    held_out_set = ShardRows(held_out)
    sets = [ShardRows(shards), *([ShardRows(photographs)] if photographs else [])]
    net = channels_last(seeded(DenseNet).to(device))
    for part in net.trunk.first_blocks(frozen):
        part.requires_grad_(False)
    run = Run(net, options, schedule)

    def losses(step: int) -> Losses:
        draw = torch.Generator().manual_seed(step)
        part = None if step % _WHOLE_EVERY == 0 else window
        total = batch if part is None else 2 * batch
        few = total // 3 if photographs else 0
        drawn = [
            _portraits(rows, torch.randint(len(rows), (count,), generator=draw).tolist(), device)
            for rows, count in zip(sets, (total - few, few), strict=False)
        ]
        pictures, truth = torch.cat([one for one, _ in drawn]), DenseTruth.joined([one for _, one in drawn])
        pictures, truth = augment(pictures, truth, draw)
        pictures, truth = _resized(pictures, truth, size)
        if part is not None:
            pictures, truth = face_windows(pictures, truth, part, draw)
        with torch.autocast(device.type, torch.bfloat16):
            out = run.model(pictures.contiguous(memory_format=torch.channels_last))
        return dense_losses(out, truth)

    def check(run: Run) -> dict[str, float]:
        return held_out_scores(run.averaged(channels_last(DenseNet().to(device))), held_out_set, device)

    run.train(losses, check_every=500, check=check)
    return run


@torch.no_grad()
def held_out_scores(net: DenseNet, portraits: ShardRows, device: torch.device) -> dict[str, float]:
    """Average dense_loss.dense_scores over portraits, undisturbed and whole."""
    net.eval()
    found: dict[str, list[Tensor]] = {}
    for first in range(0, len(portraits), _CHECKED):
        pictures, truth = _portraits(portraits, range(first, min(first + _CHECKED, len(portraits))), device)
        with torch.autocast(device.type, torch.bfloat16):
            out = net(pictures.contiguous(memory_format=torch.channels_last))
        for name, values in dense_scores(DenseOutput(*(o.float() for o in out)), truth).items():
            found.setdefault(name, []).append(values)
    return {f"held_out_{name}": float(torch.cat(v).nanmean()) for name, v in found.items()}


def _portraits(shards: ShardRows, numbers: Sequence[int], device: torch.device) -> tuple[Tensor, DenseTruth]:
    """Read pictures [N, 3, S, S] in 0..1 and their truth, or the pseudo-labels of data/dense_photographs.py."""
    names = ("images", "normals", "depth", "classes")
    images, normals, depth, classes = (shards.rows(name, numbers).to(device) for name in names)
    unit = torch.nn.functional.normalize(normals.permute(0, 3, 1, 2).float(), dim=1)
    pictures = images.permute(0, 3, 1, 2).float() / 255.0
    exact = not shards.has("certainty")
    certainty = torch.ones_like(unit[:, 0]) if exact else shards.rows("certainty", numbers).to(device).float() / 255.0
    known = torch.full((len(numbers),), exact, device=device)
    return pictures, DenseTruth(unit, depth.float(), classes.long(), certainty, known)


def _resized(pictures: Tensor, truth: DenseTruth, size: int) -> tuple[Tensor, DenseTruth]:
    if pictures.shape[-1] == size:
        return pictures, truth
    small = interpolate(pictures, (size, size), mode="bilinear", antialias=True, align_corners=False)
    flat = [interpolate(v[:, None].float(), (size, size))[:, 0] for v in (truth.depth, truth.classes, truth.certainty)]
    normals = interpolate(truth.normals, (size, size))
    return small, truth.replace(normals=normals, depth=flat[0], classes=flat[1].long(), certainty=flat[2])
