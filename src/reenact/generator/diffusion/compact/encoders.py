# SPDX-License-Identifier: Apache-2.0
"""Encoders of the controls: the reference in two dimensions, the driven head in three (paper, section 3)."""

from __future__ import annotations

from collections.abc import Set

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reenact.head.regions import REGIONS

from ..controls import Controls

INPUTS = ("photo", "normals", "regions", "warped", "visibility")
"""Inputs that can be left out, by the names that files of weights have for them; "photo" is the reference."""
FOLD = 4
"""Side of the squares of pixels that are folded into channels."""
_REGION_CHANNELS = 4


def fold(x: Tensor) -> Tensor:
    """Fold pixels [N, C, H, W] into channels [N, 16 C, H / 4, W / 4]."""
    return F.pixel_unshuffle(x, FOLD)


class _RegionEmbedding(nn.Module):
    """Embeds region labels, 255 ("empty") among them."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(len(REGIONS) + 1, _REGION_CHANNELS)

    def forward(self, labels: Tensor) -> Tensor:
        """Return channels [N, 4, H, W] of labels [N, H, W] uint8."""
        return self.table(labels.long().clamp(max=len(REGIONS))).permute(0, 3, 1, 2)


class ReferenceEncoder(nn.Module):
    """Encodes the reference and the head in it as tokens on the grid of patches."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        a, b, c = widths
        self.regions = _RegionEmbedding()
        self.layers = nn.Sequential(
            nn.Conv2d((3 + 3 + _REGION_CHANNELS) * FOLD**2, a, 1),
            nn.SiLU(),
            nn.Conv2d(a, a, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(a, b, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(b, c, 3, stride=2, padding=1),
        )

    def forward(self, controls: Controls, inputs: Set[str]) -> Tensor:
        """Return tokens [B, N, D] of N patches of 16 x 16 px; `inputs` that are left out count as 0."""
        colours = controls.reference * float("photo" in inputs)
        normals = controls.reference_normals * float("photo" in inputs and "normals" in inputs)
        labels = self.regions(controls.reference_regions) * float("photo" in inputs and "regions" in inputs)
        return self.layers(fold(torch.cat([colours, normals, labels], 1))).flatten(2).transpose(1, 2)


class PoseEncoder(nn.Module):
    """Encodes the driven head and the warped reference, frame by frame, as features at 4, 8 and 16 px a side.

    The difference between warped and unwarped reference is an input, too: where it is 0, nothing has to be changed.
    """

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        a, b, c = widths
        self.regions = _RegionEmbedding()
        self.fine = nn.Sequential(
            nn.Conv2d((3 + 3 + _REGION_CHANNELS + 1 + 3) * FOLD**2, a, 1), nn.SiLU(), nn.Conv2d(a, a, 3, padding=1)
        )
        self.middle = nn.Conv3d(a, b, 3, stride=(1, 2, 2), padding=1)
        self.coarse = nn.Conv3d(b, c, 3, stride=(1, 2, 2), padding=1)

    def forward(self, controls: Controls, inputs: Set[str]) -> tuple[Tensor, Tensor, Tensor]:
        """Return features [B F, C, h, w] of each size; `inputs` that are left out count as 0."""
        b, f = controls.warped.shape[:2]
        parts = {
            "normals": controls.normals.flatten(0, 1),
            "warped": controls.warped.flatten(0, 1),
            "visibility": controls.visibility.flatten(0, 1),
            "regions": self.regions(controls.regions.flatten(0, 1)),
        }
        difference = (controls.warped - controls.reference[:, None]).flatten(0, 1)
        channels = [part * float(name in inputs) for name, part in parts.items()]
        channels = torch.cat([*channels, difference * float({"photo", "warped"} <= inputs)], 1)
        fine = self.fine(fold(channels))
        # [B F, C, h, w] -> [B, C, F, h, w] for convolutions over time, and back
        middle = self.middle(F.silu(fine).unflatten(0, (b, f)).transpose(1, 2))
        coarse = self.coarse(F.silu(middle))
        return fine, middle.transpose(1, 2).flatten(0, 1), coarse.transpose(1, 2).flatten(0, 1)
