# SPDX-License-Identifier: Apache-2.0
"""A U-Net on EfficientNet-Lite0: from the crop of a face to normals with their certainty, relative depth and classes.

The decoder ends at half the picture's size, beside the pixels themselves folded 2 x 2 into channels, and unfolds its
last channels into whole pixels (Shi et al. 2016): four times cheaper than whole pixels throughout.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize, pixel_shuffle, pixel_unshuffle, softplus

from reenact.perception.efficientnet import WIDTHS, EfficientNetLite0

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
        self.trunk = EfficientNetLite0(top=False)
        outputs = (40, 64, 96, 160)  # of the decoder's blocks, at 1/2 to 1/16 of the picture's side
        inputs = (*outputs[1:], WIDTHS[-1])  # what each gets from the scale below
        self.narrow = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(inputs, outputs, strict=True))
        self.up = nn.ModuleList(_Block(b + c, b) for b, c in zip(outputs, WIDTHS[:-1], strict=True))
        self.last = nn.Conv2d(outputs[0] + 12, 4 * _OUT, 3, padding=1)

    def train(self, mode: bool = True) -> DenseNet:
        """Set the mode; batch statistics of the trunk stay those of its pretraining: batches here are small."""
        super().train(mode)
        for part in self.trunk.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return self

    def forward(self, pictures: Tensor) -> DenseOutput:
        """Raises ValueError unless the crops are square and a multiple of 32 a side."""
        side = pictures.shape[-1]
        if pictures.ndim != 4 or pictures.shape[1] != 3 or pictures.shape[-2] != side or side % 32:
            raise ValueError(f"got crops of shape {tuple(pictures.shape)}; want [N, 3, S, S], S a multiple of 32")
        centred = 2.0 * pictures - 1.0
        *levels, x = self.trunk.pyramid(centred)
        for narrow, block, level in reversed(list(zip(self.narrow, self.up, levels, strict=True))):
            x = interpolate(narrow(x), scale_factor=2.0, mode="nearest")
            x = block(torch.cat([x, level], 1))
        out = pixel_shuffle(self.last(torch.cat([x, pixel_unshuffle(centred, 2)], 1)), 2).float()
        return DenseOutput(
            normals=normalize(out[:, :3], dim=1, eps=1e-6),
            kappa=softplus(out[:, 3]) + 0.01,
            depth=out[:, 4],
            logits=out[:, 5:],
        )
