# SPDX-License-Identifier: Apache-2.0
"""Conditioning of the learned generators, and what they predict.

All conditioning is images: the reference, the head in it, and the head in every frame. So training needs no head model,
no tracker and no rasteriser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import torch
from torch import Tensor

NO_SURFACE = 128
"""Byte of a component 0 of a normal; pixels without a surface have it in all three."""


@dataclass(frozen=True)
class HeadImages:
    """Maps of one posed head as uint8 images of S x S px."""

    normals: Tensor
    """[S, S, 3] 128 + 127 x the unit normal in camera space (x right, y down, z away); 128 where empty."""
    regions: Tensor
    """[S, S] labels of head.regions, 255 where empty."""
    visibility: Tensor
    """[S, S] 255 where the reference shows the surface point, 0 where it does not or there is no surface."""


@dataclass(frozen=True)
class Controls:
    """Conditioning of a batch of B clips of F frames of S x S px. Colours and normals are floats from -1 to 1."""

    reference: Tensor
    """[B, 3, S, S]"""
    reference_normals: Tensor
    """[B, 3, S, S] of the head in the reference."""
    reference_regions: Tensor
    """[B, S, S] uint8"""
    warped: Tensor
    """[B, F, 3, S, S] the reference warped by the head (generator.warp)."""
    normals: Tensor
    """[B, F, 3, S, S]"""
    regions: Tensor
    """[B, F, S, S] uint8"""
    visibility: Tensor
    """[B, F, 1, S, S] from 0 to 1"""

    @classmethod
    def from_images(
        cls, reference: Tensor, reference_head: HeadImages, warped: Sequence[Tensor], heads: Sequence[HeadImages]
    ) -> Controls:
        """Make the controls of one clip (B = 1).

        Args:
            reference: [S, S, 3] uint8.
            reference_head: the head in it; its visibility is not used.
            warped: [S, S, 3] uint8 of each frame.
            heads: of each frame.
        """
        return cls(
            colours_to_float(reference)[None],
            normals_to_float(reference_head.normals)[None],
            reference_head.regions[None],
            torch.stack([colours_to_float(w) for w in warped])[None],
            torch.stack([normals_to_float(h.normals) for h in heads])[None],
            torch.stack([h.regions for h in heads])[None],
            torch.stack([h.visibility[None] for h in heads])[None].float() / 255.0,
        )

    @property
    def frames(self) -> int:
        """F."""
        return self.warped.shape[1]

    def to(self, device: torch.device) -> Controls:
        """Return the same on another device."""
        return Controls(*(getattr(self, f.name).to(device, non_blocking=True) for f in fields(self)))

    def repeat_last(self, count: int) -> Controls:
        """Return clips that are longer by `count` repetitions of their last frame."""
        parts = {name: getattr(self, name) for name in ("warped", "normals", "regions", "visibility")}
        longer = {n: torch.cat([x, x[:, -1:].expand(-1, count, *x.shape[2:])], 1) for n, x in parts.items()}
        return replace(self, **longer)


@dataclass(frozen=True)
class Prediction:
    """What a predictor makes of a window of F frames."""

    clean: Tensor
    """[F, 3, S, S] from -1 to 1."""
    displacement: Tensor
    """[F, 2, S, S] px (x, y) from a pixel to where the warped reference shows its content; 0 if not predicted."""


class Predictor(Protocol):
    """A network and its sampler, window by window."""

    size: int
    """S, side of the images, px."""
    window: int
    """Frames of a window."""
    overlap: int
    """Frames that a window has in common with the one before."""

    def predict(self, controls: Controls, previous: Tensor | None) -> Prediction:
        """Predict a window.

        Args:
            controls: of the window, B = 1.
            previous: [K, 3, S, S] the window's first frames as predicted in the window before; None in the first.
        """
        ...


def colours_to_float(image: Tensor) -> Tensor:
    """Return colours [H, W, 3] uint8 as [3, H, W] floats from -1 to 1."""
    return image.permute(2, 0, 1).float() / 127.5 - 1.0


def normals_to_float(image: Tensor) -> Tensor:
    """Return normals [H, W, 3] uint8 (see HeadImages) as [3, H, W] floats; 0 where there is no surface."""
    return (image.permute(2, 0, 1).float() - NO_SURFACE) / 127.0
