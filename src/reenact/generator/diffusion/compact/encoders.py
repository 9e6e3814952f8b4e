# SPDX-License-Identifier: Apache-2.0
"""Encoders of the controls: the photo in two dimensions, the driven head in three (PAPER, section 3)."""

from __future__ import annotations

from collections.abc import Set

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reenact.head.regions import REGIONS

from ..controls import Controls

INPUTS = ("photo", "normals", "regions", "warped", "visibility")
"""What a generator may be told; each can be kept from it."""
FOLD = 4  # pixels a side that become channels
_LABELS = 4  # channels of a region


def folded(x: Tensor) -> Tensor:
    """[N, C, H, W] -> [N, 16 C, H / 4, W / 4]"""
    return F.pixel_unshuffle(x, FOLD)


class Regions(nn.Module):
    """Labels as a few channels; nothing is drawn where the label is 255."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(len(REGIONS) + 1, _LABELS)

    def forward(self, labels: Tensor) -> Tensor:
        """uint8 [N, H, W] -> [N, 4, H, W]"""
        return self.table(labels.long().clamp(max=len(REGIONS))).permute(0, 3, 1, 2)


class ReferenceEncoder(nn.Module):
    """The photo and the head in it -> tokens on the grid of patches."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        a, b, c = widths
        self.regions = Regions()
        self.layers = nn.Sequential(
            nn.Conv2d((3 + 3 + _LABELS) * FOLD**2, a, 1),
            nn.SiLU(),
            nn.Conv2d(a, a, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(a, b, 3, stride=2, padding=1),
            nn.SiLU(),
            nn.Conv2d(b, c, 3, stride=2, padding=1),
        )

    def forward(self, controls: Controls, use: Set[str]) -> Tensor:
        """[B, N, D], N patches of 16 x 16 px."""
        photo = controls.photo * float("photo" in use)
        normals = controls.photo_normals * float("photo" in use and "normals" in use)
        labels = self.regions(controls.photo_regions) * float("photo" in use and "regions" in use)
        return self.layers(folded(torch.cat([photo, normals, labels], 1))).flatten(2).transpose(1, 2)


class PoseEncoder(nn.Module):
    """The driven head, frame by frame, and the photo as it carries it -> features at 4, 8 and 16 px a side.

    Where the warped photo differs from the photo is told as well: where it does not, nothing is to be painted.
    """

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        a, b, c = widths
        self.regions = Regions()
        self.fine = nn.Sequential(
            nn.Conv2d((3 + 3 + _LABELS + 1 + 3) * FOLD**2, a, 1), nn.SiLU(), nn.Conv2d(a, a, 3, padding=1)
        )
        self.middle = nn.Conv3d(a, b, 3, stride=(1, 2, 2), padding=1)
        self.coarse = nn.Conv3d(b, c, 3, stride=(1, 2, 2), padding=1)

    def forward(self, controls: Controls, use: Set[str]) -> tuple[Tensor, Tensor, Tensor]:
        """[B F, C, h, w] of each size."""
        b, f = controls.warped.shape[:2]
        parts = {
            "normals": controls.normals.flatten(0, 1),
            "warped": controls.warped.flatten(0, 1),
            "visibility": controls.visibility.flatten(0, 1),
            "regions": self.regions(controls.regions.flatten(0, 1)),
        }
        changed = (controls.warped - controls.photo[:, None]).flatten(0, 1)
        told = [part * float(name in use) for name, part in parts.items()]
        told = torch.cat([*told, changed * float({"photo", "warped"} <= use)], 1)
        fine = self.fine(folded(told))
        middle = self.middle(_in_time(F.silu(fine), b, f))
        coarse = self.coarse(F.silu(middle))
        return fine, _by_frame(middle), _by_frame(coarse)


def _in_time(x: Tensor, b: int, f: int) -> Tensor:
    """[B F, C, h, w] -> [B, C, F, h, w]"""
    return x.unflatten(0, (b, f)).transpose(1, 2)


def _by_frame(x: Tensor) -> Tensor:
    """[B, C, F, h, w] -> [B F, C, h, w]"""
    return x.transpose(1, 2).flatten(0, 1)
