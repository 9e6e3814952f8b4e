# SPDX-License-Identifier: Apache-2.0
"""Targets of the dense network, its losses and its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from reenact.perception.dense.network import CLASSES, FACE, HEAD, DenseOutput

_WEIGHTS = {"background": 0.0, "skin": 1.0, "hair": 0.5, "cloth": 0.3, "eyes": 2.0, "lips": 2.0, "mouth": 2.0}
"""Weight of the pixels of a class; 0.5 for the others."""
_UNKNOWN_WEIGHT = 1.0  # rims of eyes and lips, mostly


UNKNOWN = 255
"""Class of a pixel of which no class is known."""


@dataclass(frozen=True)
class DenseTruth:
    """Of N crops of S x S pixels; see data/portraits.py."""

    normals: Tensor  # float [N, 3, S, S] unit, 0 on the background
    depth: Tensor  # float [N, S, S]
    classes: Tensor  # int64 [N, S, S]
    certainty: Tensor  # float [N, S, S] from 0 to 1: what normal and depth are worth
    exact: Tensor  # bool [N]: True for the truth, False for pseudo-labels

    def replace(self, **changes: Tensor) -> DenseTruth:
        """Return the same with other values of some fields."""
        return replace(self, **changes)

    @staticmethod
    def joined(parts: Sequence[DenseTruth]) -> DenseTruth:
        """Put the crops of several one after the other."""
        return DenseTruth(*(torch.cat([getattr(part, f.name) for part in parts]) for f in fields(DenseTruth)))


def dense_losses(out: DenseOutput, truth: DenseTruth) -> dict[str, Tensor]:
    """Normals by the angular von Mises-Fisher likelihood (Bae et al. 2021, arXiv 2109.09881), which learns how sure to
    be; depth up to a shift a picture, with its slopes; classes by cross entropy. "loss" is their weighted sum.

    Pseudo-labels do not teach how sure to be: they repeat the errors of what they are taken from."""
    table = torch.zeros(UNKNOWN + 1, device=truth.classes.device)
    table[: len(CLASSES)] = torch.tensor([_WEIGHTS.get(c, 0.5) for c in CLASSES])
    table[UNKNOWN] = _UNKNOWN_WEIGHT
    weight = table[truth.classes] * truth.certainty
    total = weight.sum().clamp(min=1.0)
    angle = _angle(out.normals, truth.normals)
    kappa = torch.where(truth.exact[:, None, None], out.kappa, out.kappa.detach())
    likelihood = kappa * angle - torch.log1p(kappa**2) + torch.log1p(torch.exp(-kappa * torch.pi))
    normal = (weight * likelihood).sum() / total
    error = _shifted(out.depth - truth.depth, weight)
    depth = (weight * error.abs()).sum() / total
    slope = torch.zeros((), device=depth.device)
    for step in (1, 4):
        for dim in (1, 2):
            a = error.narrow(dim, step, error.shape[dim] - step) - error.narrow(dim, 0, error.shape[dim] - step)
            same = torch.minimum(
                weight.narrow(dim, step, error.shape[dim] - step), weight.narrow(dim, 0, error.shape[dim] - step)
            )
            # Across an outline depth jumps: what is beyond it is no slope.
            slope = slope + (same * a.abs().clamp(max=0.05)).sum() / total
    classes = cross_entropy(out.logits, truth.classes, ignore_index=UNKNOWN)
    return {
        "loss": normal + 8.0 * depth + 8.0 * slope + 0.7 * classes,
        "normal": normal,
        "degrees": torch.rad2deg((weight * angle).sum() / total),
        "depth": depth,
        "slope": slope,
        "classes": classes,
    }


@torch.no_grad()
def dense_scores(out: DenseOutput, truth: DenseTruth) -> dict[str, Tensor]:
    """Scores a picture, each [N]: angles of the face's normals, degrees; depth in percent of the crop's side, up to a
    shift; intersection over union of head and of hair."""
    angle = torch.rad2deg(_angle(out.normals, truth.normals))
    face, head = _isin(truth.classes, FACE), _isin(truth.classes, HEAD)
    error = _shifted(out.depth - truth.depth, face.float()).abs()
    found = out.logits.argmax(1)
    hair = CLASSES.index("hair")
    rows = range(len(angle))
    return {
        "face_degrees_mean": torch.stack([angle[i][face[i]].mean() for i in rows]),
        "face_degrees_median": torch.stack([angle[i][face[i]].median() for i in rows]),
        "head_degrees_mean": torch.stack([angle[i][head[i]].mean() for i in rows]),
        "face_depth_percent": torch.stack([100 * error[i][face[i]].mean() for i in rows]),
        "head_iou": _overlap(_isin(found, HEAD), head),
        "hair_iou": _overlap(found == hair, truth.classes == hair),
    }


def _angle(a: Tensor, b: Tensor) -> Tensor:
    """Return the angles [N, S, S], rad, of unit vectors [N, 3, S, S]; the gradient stays finite where they agree."""
    return torch.atan2(torch.sqrt(torch.linalg.cross(a, b, dim=1).pow(2).sum(1) + 1e-8), (a * b).sum(1))


def _shifted(error: Tensor, weight: Tensor) -> Tensor:
    """Subtract from the error its weighted mean over each picture."""
    mean = (weight * error).sum((1, 2), keepdim=True) / weight.sum((1, 2), keepdim=True).clamp(min=1.0)
    return error - mean


def _isin(classes: Tensor, names: tuple[int, ...]) -> Tensor:
    return torch.isin(classes, torch.tensor(names, device=classes.device))


def _overlap(a: Tensor, b: Tensor) -> Tensor:
    """Return intersection over union [N]; NaN where neither has anything."""
    return (a & b).sum((1, 2)) / (a | b).sum((1, 2))
