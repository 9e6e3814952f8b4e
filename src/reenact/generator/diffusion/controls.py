# SPDX-License-Identifier: Apache-2.0
"""What a learned generator is told (the photo, the head in it, and the head in every frame, as pictures) and answers.

Everything here is a plain picture, so that training needs no head, no tracker and no rasteriser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Picture = NDArray[np.uint8]
NO_SURFACE = 128
"""The byte of a normal's part that is 0."""


@dataclass(frozen=True)
class HeadPictures:
    """A posed head as bytes; S is the side of the square."""

    normals: Picture
    """[S, S, 3] 128 + 127 x the unit normal in camera space (x right, y down, z away); 128 where empty."""
    regions: Picture
    """[S, S] labels of heads.regions, 255 where empty."""
    visibility: Picture
    """[S, S] 255 where the photo shows the surface point, 0 where it does not or nothing is drawn."""


@dataclass(frozen=True)
class Controls:
    """A batch of B clips of F frames, S x S pixels. Colours and normals are floats from -1 to 1."""

    photo: Tensor
    """[B, 3, S, S]"""
    photo_normals: Tensor
    """[B, 3, S, S] of the head as the photo shows it."""
    photo_regions: Tensor
    """[B, S, S] uint8"""
    warped: Tensor
    """[B, F, 3, S, S] the photo carried along by the head (generator.warp)."""
    normals: Tensor
    """[B, F, 3, S, S]"""
    regions: Tensor
    """[B, F, S, S] uint8"""
    visibility: Tensor
    """[B, F, 1, S, S] from 0 to 1"""

    @property
    def frames(self) -> int:
        return self.warped.shape[1]

    def to(self, device: torch.device) -> Controls:
        """The same on another device."""
        return Controls(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))

    def held(self, more: int) -> Controls:
        """The last frame shown `more` times again."""
        moving = ("warped", "normals", "regions", "visibility")
        parts = {n: getattr(self, n) for n in moving}
        longer = {n: torch.cat([x, x[:, -1:].expand(-1, more, *x.shape[2:])], 1) for n, x in parts.items()}
        return replace(self, **longer)


@dataclass(frozen=True)
class Paint:
    """What a network makes of a window of F frames."""

    clean: Tensor
    """[F, 3, S, S] from -1 to 1."""
    way: Tensor
    """[F, 2, S, S] px (x, y) from a pixel to where the warped picture shows what belongs there; 0 if nobody knows."""


class Painter(Protocol):
    """A learned generator's network and how it is used."""

    size: int
    """S, side of its pictures, px."""
    window: int
    """Frames it paints at a time."""
    overlap: int
    """Frames that two windows share."""

    def paint(self, controls: Controls, before: Tensor | None) -> Paint:
        """A window, B = 1. before: [K, 3, S, S] its first frames, as the window before painted them, if any."""
        ...


def controls_of(
    photo: Picture, still: HeadPictures, warped: Sequence[Picture], heads: Sequence[HeadPictures]
) -> Controls:
    """One clip (B = 1) of bytes as tensors."""
    return Controls(
        signed(photo)[None],
        directions(still.normals)[None],
        torch.from_numpy(still.regions)[None],
        torch.stack([signed(w) for w in warped])[None],
        torch.stack([directions(h.normals) for h in heads])[None],
        torch.stack([torch.from_numpy(h.regions) for h in heads])[None],
        torch.stack([torch.from_numpy(h.visibility)[None] for h in heads])[None].float() / 255.0,
    )


def signed(picture: Picture) -> Tensor:
    """Colours [H, W, 3] as [3, H, W] floats from -1 to 1."""
    return torch.from_numpy(picture).permute(2, 0, 1).float() / 127.5 - 1.0


def directions(picture: Picture) -> Tensor:
    """Normals [H, W, 3], see HeadPictures, as [3, H, W] floats; 0 where there is no surface."""
    return (torch.from_numpy(picture).permute(2, 0, 1).float() - NO_SURFACE) / 127.0
