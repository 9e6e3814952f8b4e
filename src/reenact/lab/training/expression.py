# SPDX-License-Identifier: Apache-2.0
"""Training of the expression network: synthetic people, photographs moved by the warp, and photographs as they are.

The synthetic faces teach all outputs, exactly. The moved photographs (data/expression_photographs.py) teach expression
and gaze on real skin. The photographs themselves (self-distillation) show what neither has, such as real
laughter: there the codes that the blendshape network's scores mean are noisy labels of the few actions that it reads
well, as uncertain as its calibration says (perception/blendshapes.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from reenact.head.arkit import ACTIONS
from reenact.media.tensors import read_tensors
from reenact.perception.blendshapes import blendshape_evidence
from reenact.perception.expression_network import (
    CODES,
    DISTANCE,
    GAZE,
    OUTPUTS,
    ROTATION,
    ExpressionNet,
    ExpressionOutput,
)

from .expression_augment import ExpressionTruth, disturb, mirrored, undisturbed
from .loop import Losses, Run, RunOptions, Schedule, channels_last, seeded

_CALM: Final = 0.55
"""Photographs whose own expression has a stronger code are not learnt from moved: less of it would be taken away."""
_LABEL_SIGMA: Final = 0.35
"""Scores are labels where codes read from them err by less: smiles, jaws and lids. Those of flatter curves mislead
(labels up to .5 taught, on real laughs, a frown of .4, pressed lips of .4 and a funnel of .5)."""
_CHECKED: Final = 64  # pictures at a time while scores are measured


@dataclass(frozen=True)
class ExpressionTraining:
    """What a run is; the same numbers make the same weights on the same machine."""

    schedule: Schedule
    batch: int = 48
    moved: int = 20
    """Of a batch."""
    photographs: int = 10
    """Of a batch."""
    size: int = 128
    frozen: int = 0
    """How many blocks of the trunk, from the first, stay as they begin."""


class Faces:
    """All faces of some shards of data/expression_{portraits,photographs}.py, in memory."""

    def __init__(self, shards: Sequence[Path]) -> None:
        if not shards:
            raise ValueError("got no shards; want at least one")
        parts = [read_tensors(path, "shard")[0] for path in shards]
        tensors = {name: torch.cat([p[name] for p in parts]) for name in parts[0]}
        if "base" in tensors:
            calm = tensors["base"].amax(dim=1) < _CALM
            tensors = {name: value[calm] for name, value in tensors.items()}
        self.images: Tensor = tensors["images"]  # [N, S, S, 3] uint8
        self.truth = _truth_of(tensors)

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, rows: Tensor) -> tuple[Tensor, ExpressionTruth]:
        """Return pictures [N, 3, S, S] in 0..1 and their truth."""
        return _pictures(self.images[rows]), self.truth.rows(rows)


def _pictures(images: Tensor) -> Tensor:
    """Convert uint8 [N, S, S, 3] to [N, 3, S, S] in 0..1."""
    return images.permute(0, 3, 1, 2).float() / 255.0


def rotation_vector(rotation: Tensor) -> Tensor:
    """Convert R_cam_head [N, 3, 3] to rotation vectors [N, 3] from a head that looks into the camera."""
    turn = rotation @ torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    axis = torch.stack([turn[:, 2, 1] - turn[:, 1, 2], turn[:, 0, 2] - turn[:, 2, 0], turn[:, 1, 0] - turn[:, 0, 1]], 1)
    sine, cosine = axis.norm(dim=1) / 2, (turn.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    return axis * (torch.atan2(sine, cosine) / (2 * sine).clamp(min=1e-6))[:, None]


def rolled(vectors: Tensor, roll: Tensor) -> Tensor:
    """Rotate rotation vectors [N, 3] as the picture by `roll` [N], radians, clockwise (z points away)."""
    half, angle = roll / 2, vectors.norm(dim=1)
    scale = (angle / 2).sin() / angle.clamp(min=1e-8)
    w, (x, y, z) = (angle / 2).cos(), (vectors * scale[:, None]).unbind(1)
    c, s = half.cos(), half.sin()
    quaternion = torch.stack([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w], 1)
    quaternion = quaternion * torch.where(quaternion[:, :1] < 0, -1.0, 1.0)
    length = quaternion[:, 1:].norm(dim=1)
    return quaternion[:, 1:] * (2 * torch.atan2(length, quaternion[:, 0]) / length.clamp(min=1e-8))[:, None]


def _truth_of(shard: dict[str, Tensor]) -> ExpressionTruth:
    """Read the labels of a shard's faces: of synthetic ones all, of moved ones no distance, of others few codes."""
    count = len(shard["images"])
    noise = torch.zeros(count, OUTPUTS)
    if "expression" not in shard:
        said = blendshape_evidence(shard["scores"].numpy())
        sigma = torch.from_numpy(said.sigma)
        noise[:] = torch.nan
        noise[:, CODES] = sigma.where(sigma < _LABEL_SIGMA, torch.nan)
        codes, zero = torch.from_numpy(said.mean), torch.zeros(count, 4)
        return ExpressionTruth(codes, zero[:, :3], zero, zero[:, :1], noise)
    rotation, distance = rotation_vector(shard["rotation"]), torch.zeros(count, 1)
    if "distance" in shard:
        distance = shard["distance"].log()[:, None]
    else:
        # What is fitted to a photograph nods too little, by a quarter; its yaw is right (expression_synthetic).
        noise[:, [ROTATION.start, DISTANCE.start]] = torch.nan
    return ExpressionTruth(shard["expression"], rotation, shard["gaze"].flatten(1), distance, noise)


def likelihood(out: ExpressionOutput, columns: slice, truth: Tensor, noise: Tensor) -> Tensor:
    """Compute the beta-weighted negative log-likelihood of a Gaussian, averaged over the known labels.

    The weighting, beta = 0.5, is that of Seitzer et al. 2022 (arXiv 2203.09168); else hard samples are neglected.

    noise: of all columns, as in ExpressionTruth.
    """
    noise = noise[:, columns]
    known = ~noise.isnan()
    variance = torch.exp(out.log_variance[:, columns][known]) + noise[known] ** 2
    loss = 0.5 * ((truth[known] - out.mean[:, columns][known]) ** 2 / variance + variance.log())
    return (loss * variance.detach() ** 0.5).mean()


def _expression_losses(out: ExpressionOutput, truth: ExpressionTruth) -> Losses:
    """Compute the losses by output."""
    return {
        "codes": 10.0 * likelihood(out, CODES, truth.codes, truth.noise),
        "rotation": likelihood(out, ROTATION, truth.rotation, truth.noise),
        "gaze": likelihood(out, GAZE, truth.gaze, truth.noise),
        "distance": 0.1 * likelihood(out, DISTANCE, truth.distance, truth.noise),
    }


def _joined(parts: Sequence[ExpressionTruth]) -> ExpressionTruth:
    """Put faces one after another."""
    return ExpressionTruth(
        torch.cat([p.codes for p in parts]),
        torch.cat([p.rotation for p in parts]),
        torch.cat([p.gaze for p in parts]),
        torch.cat([p.distance for p in parts]),
        torch.cat([p.noise for p in parts]),
    )


def train_expression(
    training: ExpressionTraining,
    shards: Sequence[Path],
    held_out: Sequence[Path],
    options: RunOptions,
    *,
    photographs: Sequence[Path] = (),
    moved: Sequence[Path] = (),
) -> Run:
    """Train the expression network; goes on from the checkpoint that is in the folder.

    shards, held_out: of data/expression_portraits.py. photographs, moved: of data/expression_photographs.py.
    """
    device = options.device
    measured = Faces(held_out)
    real = ((moved, training.moved), (photographs, training.photographs))
    other = [(Faces(paths), count) for paths, count in real if paths]
    learnt = [(Faces(shards), training.batch - sum(count for _, count in other)), *other]
    net = channels_last(seeded(ExpressionNet).to(device))
    still = net.trunk.first_blocks(training.frozen)
    for part in still:
        part.requires_grad_(False)
    run = Run(net, options, training.schedule)

    def losses(step: int) -> Losses:
        draw = torch.Generator().manual_seed(step)
        parts = [faces.batch(torch.randint(len(faces), (count,), generator=draw)) for faces, count in learnt]
        images, truth = torch.cat([p[0] for p in parts]), _joined([p[1] for p in parts])
        if torch.rand((), generator=draw) < 0.5:
            images, truth = images.flip(3), mirrored(truth)
        images, roll = disturb(images, training.size, draw)
        for part in still:
            part.eval()
        out = net(images.to(device).contiguous(memory_format=torch.channels_last))
        found = _expression_losses(out, replace(truth, rotation=rolled(truth.rotation, roll)).to(device))
        return {"loss": torch.stack(list(found.values())).sum()} | found

    def check(run: Run) -> dict[str, float]:
        return _held_out_scores(run.averaged(ExpressionNet().to(device)), measured, training.size)

    run.train(losses, check_every=200, check=check)
    return run


def blended(start: dict[str, Tensor], learnt: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Interpolate between the weights that a training began with and those that it learnt.

    What was learnt first and what was learnt later both hold on faces of neither set (Wortsman et al. 2022, "Robust
    fine-tuning of zero-shot models", arXiv 2109.01903).
    """
    if share == 1.0:
        return learnt
    return {name: torch.lerp(start[name].float(), value.float(), share) for name, value in learnt.items()}


@torch.no_grad()
def predictions(net: ExpressionNet, images: Tensor, size: int) -> ExpressionOutput:
    """Predict from stored crops [N, S, S, 3] uint8; the result is on the CPU."""
    net.eval()
    device = next(net.parameters()).device
    parts = []
    for first in range(0, len(images), _CHECKED):
        parts.append(net(undisturbed(_pictures(images[first : first + _CHECKED]), size).to(device)))
    return ExpressionOutput(torch.cat([p.mean.cpu() for p in parts]), torch.cat([p.log_variance.cpu() for p in parts]))


def error_spread(net: ExpressionNet, held_out: Sequence[Faces], size: int) -> Tensor:
    """Return the errors in the network's own standard deviations [OUTPUTS], the most of some sets of faces.

    At least 1: a set on which the network does better than it says is no promise for others.
    """
    spreads = [torch.ones(OUTPUTS)]
    for faces in held_out:
        out, t = predictions(net, faces.images, size), faces.truth
        truth = torch.cat([t.codes, t.rotation, t.gaze, t.distance], dim=1)
        z = (out.mean - truth) * torch.exp(-0.5 * out.log_variance) + 0.0 * t.noise  # NaN where nothing is known
        spreads.append(z.square().nanmean(dim=0).sqrt().nan_to_num(1.0))
    return torch.stack(spreads).amax(dim=0)


def _held_out_scores(net: ExpressionNet, faces: Faces, size: int) -> dict[str, float]:
    """Compute the correlation of each kind of action over people and sides, errors, and spread of the z-scores."""
    out, truth = predictions(net, faces.images, size), faces.truth
    mean, log_variance = out.mean[:, CODES], out.log_variance[:, CODES]
    found = {"held_out_mae": float((mean.clamp(0, 1.5) - truth.codes).abs().mean())}
    found["held_out_z"] = float(((mean - truth.codes) * torch.exp(-0.5 * log_variance)).std())
    found["held_out_rotation_deg"] = float(torch.rad2deg((out.mean[:, ROTATION] - truth.rotation).norm(dim=1)).mean())
    found["held_out_gaze_deg"] = float(torch.rad2deg((out.mean[:, GAZE] - truth.gaze).abs()).mean())
    found["held_out_log_distance"] = float((out.mean[:, DISTANCE] - truth.distance).abs().mean())
    kinds = sorted({a.removesuffix("Left").removesuffix("Right") for a in ACTIONS if not a.startswith("eyeLook")})
    for kind in kinds:
        rows = [i for i, a in enumerate(ACTIONS) if a.removesuffix("Left").removesuffix("Right") == kind]
        pair = torch.stack([mean[:, rows].flatten(), truth.codes[:, rows].flatten()])
        found[f"held_out_r/{kind}"] = float(torch.corrcoef(pair)[0, 1])
    return found
