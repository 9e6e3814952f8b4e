# SPDX-License-Identifier: Apache-2.0
"""Training of the expression network: exact codes of synthetic people, scores of the blendshape network on photographs.

The synthetic faces teach all outputs. The photographs (self-distillation) keep the network from taking drawn skin for
skin: there the blendshape network's scores are the target of those actions that it sees, with a loss that grows
linearly, since a teacher that reads landmarks is sometimes wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional

from reenact.heads.arkit import ACTIONS
from reenact.perception.expression_network import CODES, DISTANCE, GAZE, ROTATION, ExpressionNet, ExpressionOutput

from .expression_augment import MIRRORED, ExpressionTruth, disturb, mirrored
from .loop import Losses, Run, Schedule

_BETA: Final = 0.5  # of the beta-NLL of Seitzer et al. 2022 (arXiv 2203.09168): plain likelihood neglects hard samples
_TEACHER_SIGMA: Final = 0.15  # of a score, as the fit took it when it was first tried
_TEACHER_WEIGHT: Final = 0.05
_CODES_WEIGHT, _DISTANCE_WEIGHT = 10.0, 0.1  # codes are what the network is for; distance is hard to see
_BLIND: Final = ("noseSneer", "cheekPuff", "cheekSquint", "tongueOut", "eyeLook")
TAUGHT: Final = [i for i, a in enumerate(ACTIONS) if not a.startswith(_BLIND)]
_CHECKED: Final = 64  # pictures at a time while scores are measured


@dataclass(frozen=True)
class ExpressionTraining:
    """What a run is; the same numbers make the same weights on the same machine."""

    schedule: Schedule
    batch: int = 40
    photographs: int = 16
    """Of a batch."""
    size: int = 128
    seed: int = 0


class SyntheticFaces:
    """All faces of some shards of data/expression_portraits.py, in memory."""

    def __init__(self, shards: Sequence[Path]) -> None:
        if not shards:
            raise ValueError("got no shards; want at least one")
        parts = [load_file(path) for path in shards]
        tensors = {name: torch.cat([p[name] for p in parts]) for name in parts[0]}
        self.images: Tensor = tensors["images"]  # [N, S, S, 3] uint8
        self.truth = ExpressionTruth(
            tensors["expression"],
            rotation_vector(tensors["rotation"]),
            tensors["gaze"].flatten(1),
            tensors["distance"].log()[:, None],
        )

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, rows: Tensor) -> tuple[Tensor, ExpressionTruth]:
        """Pictures [N, 3, S, S] in 0..1 and their truth."""
        t = self.truth
        truth = ExpressionTruth(t.codes[rows], t.rotation[rows], t.gaze[rows], t.distance[rows])
        return pictures(self.images[rows]), truth


def pictures(images: Tensor) -> Tensor:
    """[N, S, S, 3] uint8 -> [N, 3, S, S] in 0..1."""
    return images.permute(0, 3, 1, 2).float() / 255.0


def rotation_vector(rotation: Tensor) -> Tensor:
    """Rotations [N, 3, 3] R_cam_head -> vectors [N, 3] from a head that looks into the camera."""
    turn = rotation @ torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    axis = torch.stack([turn[:, 2, 1] - turn[:, 1, 2], turn[:, 0, 2] - turn[:, 2, 0], turn[:, 1, 0] - turn[:, 0, 1]], 1)
    sine, cosine = axis.norm(dim=1) / 2, (turn.diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    return axis * (torch.atan2(sine, cosine) / (2 * sine).clamp(min=1e-6))[:, None]


def rolled(vectors: Tensor, roll: Tensor) -> Tensor:
    """Rotation vectors [N, 3] after the picture was turned by `roll` [N], radians, clockwise (z points away)."""
    half, angle = roll / 2, vectors.norm(dim=1)
    scale = (angle / 2).sin() / angle.clamp(min=1e-8)
    w, (x, y, z) = (angle / 2).cos(), (vectors * scale[:, None]).unbind(1)
    c, s = half.cos(), half.sin()
    quaternion = torch.stack([c * w - s * z, c * x - s * y, c * y + s * x, c * z + s * w], 1)
    quaternion = quaternion * torch.where(quaternion[:, :1] < 0, -1.0, 1.0)
    length = quaternion[:, 1:].norm(dim=1)
    return quaternion[:, 1:] * (2 * torch.atan2(length, quaternion[:, 0]) / length.clamp(min=1e-8))[:, None]


def likelihood(out: ExpressionOutput, columns: slice, truth: Tensor) -> Tensor:
    """Beta-weighted negative log-likelihood of a Gaussian, mean over faces and columns."""
    mean, log_variance = out.mean[:, columns], out.log_variance[:, columns]
    loss = 0.5 * ((truth - mean) ** 2 * torch.exp(-log_variance) + log_variance)
    return (loss * torch.exp(_BETA * log_variance).detach()).mean()


def expression_losses(out: ExpressionOutput, truth: ExpressionTruth) -> Losses:
    """Losses of synthetic faces by output."""
    return {
        "codes": _CODES_WEIGHT * likelihood(out, CODES, truth.codes),
        "rotation": likelihood(out, ROTATION, truth.rotation),
        "gaze": likelihood(out, GAZE, truth.gaze),
        "distance": _DISTANCE_WEIGHT * likelihood(out, DISTANCE, truth.distance),
    }


def teacher_loss(out: ExpressionOutput, scores: Tensor) -> Tensor:
    """Huber loss of the codes [N, 52] that the blendshape network sees, in its standard deviations."""
    away = (out.mean[:, CODES][:, TAUGHT] - scores[:, TAUGHT]) / _TEACHER_SIGMA
    return functional.huber_loss(away, torch.zeros_like(away))


def train_expression(
    training: ExpressionTraining,
    shards: Sequence[Path],
    held_out: Sequence[Path],
    photographs: Sequence[Path],
    folder: Path,
    *,
    seconds: float,
    progress: Callable[[str, int, int | None], None],
    start: dict[str, Tensor] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Run:
    """Train in `folder`, where the checkpoint and log.jsonl are, for at most `seconds`; goes on where it was.

    shards, held_out: of data/expression_portraits.py. photographs: of data/expression_pictures.py, may be none.
    start: weights to begin with. clock: gives the seconds that `seconds` is measured on.
    """
    learnt, measured = SyntheticFaces(shards), SyntheticFaces(held_out)
    photo_parts = [load_file(path) for path in photographs]
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        net = ExpressionNet().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] as in dense.py
    run = Run(net, folder, training.schedule, start)

    def losses(step: int) -> Losses:
        draw = torch.Generator().manual_seed(training.seed * 1_000_003 + step)
        count = training.batch - (training.photographs if photo_parts else 0)
        images, truth = learnt.batch(torch.randint(len(learnt), (count,), generator=draw))
        scores = None
        if photo_parts:
            part = photo_parts[int(torch.randint(len(photo_parts), (), generator=draw))]
            rows = torch.randint(len(part["images"]), (training.photographs,), generator=draw)
            images = torch.cat([images, pictures(part["images"][rows])])
            scores = part["scores"][rows]
        if torch.rand((), generator=draw) < 0.5:
            images, truth = images.flip(3), mirrored(truth)
            scores = None if scores is None else scores[:, MIRRORED]
        images, roll = disturb(images, training.size, draw)
        out = net(images.contiguous(memory_format=torch.channels_last))
        turned = ExpressionTruth(truth.codes, rolled(truth.rotation, roll[:count]), truth.gaze, truth.distance)
        found = expression_losses(out.rows(slice(0, count)), turned)
        if scores is not None:
            found["teacher"] = _TEACHER_WEIGHT * teacher_loss(out.rows(slice(count, None)), scores)
        return {"loss": torch.stack(list(found.values())).sum()} | found

    def check(run: Run) -> dict[str, float]:
        averaged = ExpressionNet()
        averaged.load_state_dict(run.average)
        return held_out_scores(averaged, measured, training.size)

    run.train(losses, seconds=seconds, check_every=200, check=check, progress=progress, clock=clock)
    return run


@torch.no_grad()
def predictions(net: ExpressionNet, images: Tensor, size: int) -> ExpressionOutput:
    """What the network says of undisturbed crops [N, S, S, 3] uint8."""
    net.eval()
    parts = []
    for first in range(0, len(images), _CHECKED):
        small = functional.interpolate(
            pictures(images[first : first + _CHECKED]), (size, size), mode="bilinear", antialias=True
        )
        parts.append(net(small))
    return ExpressionOutput(torch.cat([p.mean for p in parts]), torch.cat([p.log_variance for p in parts]))


def held_out_scores(net: ExpressionNet, faces: SyntheticFaces, size: int) -> dict[str, float]:
    """Correlation of each kind of action pooled over people and sides, errors, and spread of the z-scores."""
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
