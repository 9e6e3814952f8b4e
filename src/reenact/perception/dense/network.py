# SPDX-License-Identifier: Apache-2.0
"""A small U-Net: from the crop of a face to normals with their certainty, relative depth and classes.

It works at half the picture's size inside and hands back the whole: the first and last steps fold 2 x 2 pixels into
channels and out of them again (Shi et al. 2016), which makes it four times cheaper and loses no pixel.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize, pixel_shuffle, pixel_unshuffle, softplus

# What a pixel of a portrait shows, as coarse as a network of a few megabytes can tell.
CLASSES: Final[tuple[str, ...]] = ("background", "skin", "hair", "cloth", "eyes", "lips", "mouth", "glasses")
"""skin: face, ears and neck, lids and lashes too. eyes: what of the eyeball is seen. mouth: teeth, tongue, cavity."""

HEAD: Final[tuple[int, ...]] = tuple(CLASSES.index(c) for c in ("skin", "hair", "eyes", "lips", "mouth", "glasses"))
FACE: Final[tuple[int, ...]] = tuple(CLASSES.index(c) for c in ("skin", "eyes", "lips", "mouth"))
"""Where a head model without hair or glasses has a surface of its own."""
_GROUPS = 8
_OUT = 5 + len(CLASSES)  # normal, certainty, depth, classes


class DenseOutput(NamedTuple):
    """Of N crops of S x S pixels."""

    normals: Tensor  # [N, 3, S, S] unit, camera space of the crop (x right, y down, z away)
    kappa: Tensor  # [N, S, S] concentration, >= 0: how sure of the normal, see lab/training/dense_loss.py
    depth: Tensor  # [N, S, S] sides of the crop, up to a shift: lab/training/data/portraits.py, relative_depth
    logits: Tensor  # [N, C, S, S] of the classes


class _Block(nn.Module):
    """Two 3 x 3 convolutions beside the identity."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, padding=1, bias=False)
        self.first_norm = nn.GroupNorm(_GROUPS, outside)
        self.second = nn.Conv2d(outside, outside, 3, padding=1, bias=False)
        self.second_norm = nn.GroupNorm(_GROUPS, outside)
        self.skip = nn.Conv2d(inside, outside, 1) if inside != outside else nn.Identity()
        self.act = nn.SiLU()

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.first_norm(self.first(x)))
        return self.act(self.skip(x) + self.second_norm(self.second(y)))


class DenseNet(nn.Module):
    """Crops [N, 3, S, S] RGB in 0..1, S a multiple of 32."""

    def __init__(self) -> None:
        super().__init__()
        widths = (32, 64, 128, 224, 256)  # channels at 1/2, 1/4, ... of the picture's side
        self.stem = nn.Conv2d(12, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            _Block(a, b) for a, b in zip((widths[0], *widths[:-1]), widths, strict=True)
        )  # fmt: skip
        pairs = list(pairwise(widths))[::-1]
        self.narrow = nn.ModuleList(nn.Conv2d(deep, flat, 1) for flat, deep in pairs)
        self.up = nn.ModuleList(_Block(2 * flat, flat) for flat, _ in pairs)
        self.last = nn.Conv2d(widths[0] + 12, 4 * _OUT, 3, padding=1)

    def forward(self, pictures: Tensor) -> DenseOutput:
        """Raises ValueError unless the crops are square and a multiple of 32 a side."""
        side = pictures.shape[-1]
        if pictures.ndim != 4 or pictures.shape[1] != 3 or pictures.shape[-2] != side or side % 32:
            raise ValueError(f"got crops of shape {tuple(pictures.shape)}; want [N, 3, S, S], S a multiple of 32")
        folded = pixel_unshuffle(2.0 * pictures - 1.0, 2)
        x = self.stem(folded)
        kept = []
        for i, block in enumerate(self.down):
            x = block(x if i == 0 else nn.functional.avg_pool2d(x, 2))
            kept.append(x)
        x = kept.pop()
        for narrow, block in zip(self.narrow, self.up, strict=True):
            x = interpolate(narrow(x), scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, kept.pop()], 1))
        out = pixel_shuffle(self.last(torch.cat([x, folded], 1)), 2).float()
        return DenseOutput(
            normals=normalize(out[:, :3], dim=1, eps=1e-6),
            kappa=softplus(out[:, 3]) + 0.01,
            depth=out[:, 4],
            logits=out[:, 5:],
        )
