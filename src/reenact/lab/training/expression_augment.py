# SPDX-License-Identifier: Apache-2.0
"""Augmentation of face crops: cameras, codecs, landmark errors, occlusion by hands, and the mirror image."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from reenact.head.arkit import OTHER_SIDE
from reenact.perception.expression_network import DISTANCE, GAZE, ROTATION, STORED


@dataclass(frozen=True)
class ExpressionTruth:
    """Labels of N crops, and their uncertainty."""

    codes: Tensor  # [N, 52]
    rotation: Tensor  # [N, 3] rotation vector, see ExpressionOutput
    gaze: Tensor  # [N, 4]
    distance: Tensor  # [N, 1] logarithm of metres
    noise: Tensor  # [N, OUTPUTS] standard deviations of these labels; 0 if exact, NaN if nothing is known

    def rows(self, index: Tensor) -> ExpressionTruth:
        """Return the labels of some crops."""
        return ExpressionTruth(*(getattr(self, f.name)[index] for f in fields(self)))

    def to(self, device: torch.device) -> ExpressionTruth:
        """Return the labels on another device."""
        return ExpressionTruth(*(getattr(self, f.name).to(device) for f in fields(self)))


def mirrored(truth: ExpressionTruth) -> ExpressionTruth:
    """Return the labels of the mirror image."""
    turn, other_eye = truth.rotation * torch.tensor([1.0, -1.0, -1.0]), [2, 3, 0, 1]
    gaze = truth.gaze[:, other_eye] * torch.tensor([-1.0, 1.0, -1.0, 1.0])
    eyes = [GAZE.start + i for i in other_eye]
    noise = truth.noise[:, [*OTHER_SIDE, *range(ROTATION.start, ROTATION.stop), *eyes, DISTANCE.start]]
    return ExpressionTruth(truth.codes[:, list(OTHER_SIDE)], turn, gaze, truth.distance, noise)


def disturb(pictures: Tensor, size: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Move, relight, soften, cover and crop to size x size.

    Args:
        pictures: [N, 3, S, S] in 0..1, STORED times as wide as what the network sees.
        size: side of the result, px.
        draw: where the randomness comes from.

    Returns:
        Pictures [N, 3, size, size], and by how much each was turned [N], radians, clockwise in the picture.
    """
    count = len(pictures)

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=draw)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=draw)

    # Standard deviations: 0.10 rad, 7 % of the side, and a shift by 3.5 % of it.
    roll, scale = 0.10 * normal(), torch.exp(0.07 * normal()) / STORED
    cosine, sine = scale * roll.cos(), scale * roll.sin()
    shift = 2 * 0.035 / STORED * normal(2)
    matrix = torch.stack([torch.stack([cosine, sine, shift[:, 0]], 1), torch.stack([-sine, cosine, shift[:, 1]], 1)], 1)
    grid = functional.affine_grid(matrix, [count, 3, size, size], align_corners=False)
    out = functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    # Light and colour.
    gain = torch.exp(0.25 * normal(1, 1, 1) + 0.08 * normal(3, 1, 1))
    out = (out * gain).clamp(0.0, 1.0) ** torch.exp(0.2 * normal(1, 1, 1))
    grey = out.mean(dim=1, keepdim=True)
    out = torch.where(uniform(1, 1, 1) < 0.1, grey.expand_as(out), out)
    # Softness of lenses, small pictures and codecs: down and up again, each by its own amount.
    soft = uniform() < 0.5
    for i in torch.nonzero(soft)[:, 0].tolist():
        small = int(size / float(1.0 + 2.5 * torch.rand((), generator=draw) ** 2))
        part = functional.interpolate(out[i : i + 1], (small, small), mode="bilinear", antialias=True)
        out[i : i + 1] = functional.interpolate(part, (size, size), mode="bilinear")
    # Hands, microphones, hair: a disc or a bar of one colour.
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    for i in torch.nonzero(uniform() < 0.25)[:, 0].tolist():
        a, b, w, h, angle, *colour = torch.rand(8, generator=draw).tolist()
        turned = (x - 2 * a + 1) * _cos(angle) + (y - 2 * b + 1) * _sin(angle)
        across = -(x - 2 * a + 1) * _sin(angle) + (y - 2 * b + 1) * _cos(angle)
        inside = (turned / (0.1 + 0.5 * w)) ** 2 + (across / (0.1 + 0.3 * h)) ** 2 < 1.0
        out[i] = torch.where(inside, torch.tensor(colour)[:, None, None], out[i])
    out = out + 0.03 * uniform(1, 1, 1) * torch.randn(out.shape, generator=draw)
    return out.clamp(0.0, 1.0), roll


def undisturbed(pictures: Tensor, size: int) -> Tensor:
    """Cut what the network sees, [N, 3, size, size], out of stored pictures [N, 3, S, S]."""
    matrix = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]) / STORED
    grid = functional.affine_grid(
        matrix.expand(len(pictures), 2, 3), [len(pictures), 3, size, size], align_corners=False
    )
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def _cos(turn: float) -> float:
    return float(torch.cos(torch.tensor(3.1415927 * turn)))


def _sin(turn: float) -> float:
    return float(torch.sin(torch.tensor(3.1415927 * turn)))
