# SPDX-License-Identifier: Apache-2.0
"""Batches for the generator: windows of scenes (data/scenes.py), cut out and augmented, all pictures of one alike.

Augmented are colours, the light on the head and that behind it, scale, mirroring, and who is seen: a face stretched or
slanted is another face. The same is done to photo, frames, warped photo and the head's pictures, so that they still fit
each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from reenact.generator.diffusion.controls import NO_SURFACE, Controls
from reenact.head.regions import EMPTY

from .data.scenes import Scene

Bytes = NDArray[np.uint8]
_TINT = 0.05  # standard deviation of the logarithm of each channel's gain


@dataclass(frozen=True)
class Cut:
    """How large a picture is learnt from."""

    size: int
    """Side of the square that is cut out, px; whole pictures if it is theirs."""
    frames: int
    augment: bool = True


def batch(scenes: Sequence[Scene], draw: np.random.Generator, cut: Cut, clips: int) -> tuple[Controls, Tensor]:
    """Sample the controls of `clips` windows of different scenes, and true frames [B, F, 3, S, S] from -1 to 1."""
    which = draw.choice(len(scenes), clips, replace=clips > len(scenes))
    found = [window(scenes[i], draw, cut) for i in which]
    names = Controls.__dataclass_fields__
    controls = Controls(*(torch.stack([getattr(c, n) for c, _ in found]) for n in names))
    return controls, torch.stack([f for _, f in found])


def window(scene: Scene, draw: np.random.Generator, cut: Cut) -> tuple[Controls, Tensor]:
    """Sample a window of one scene, without the batch's dimension."""
    run = int(draw.integers(len(scene.runs)))
    count = min(cut.frames, scene.runs[run])
    first = sum(scene.runs[:run]) + int(draw.integers(scene.runs[run] - count + 1))
    numbers = range(first, first + count)
    if draw.random() < 0.5 and cut.augment:
        numbers = numbers[::-1]  # faces move back as they came
    side = scene.picture("photo").shape[0]
    change = _Change.drawn(draw, side, cut, scene.landmarks[first]) if cut.augment else _Change.none(side, cut)

    def many(name: str) -> list[Bytes]:
        return [scene.picture(name, n) for n in numbers]

    controls = Controls(
        change.colours([scene.picture("photo")])[0],
        change.normals([scene.picture("photo_normals")])[0],
        change.labels([scene.picture("photo_regions")])[0],
        change.colours(many("warped")),
        change.normals(many("normals")),
        change.labels(many("regions")),
        change.share(many("visibility")),
    )
    frames = change.colours(many("frames"))
    if not cut.augment:
        return controls, frames
    light = _Light.drawn(draw)
    lit = replace(
        controls,
        reference=light.on(
            controls.reference[None], controls.reference_normals[None], controls.reference_regions[None]
        )[0],
        warped=light.on(controls.warped, controls.normals, controls.regions),
    )
    return lit, light.on(frames, controls.normals, controls.regions)


@dataclass(frozen=True)
class _Light:
    """A lamp on the head, which turns with it, and other light on all else."""

    lamp: Tensor  # [3] logarithm of what it does to a surface, for a unit normal
    behind: Tensor  # [3] gain of colours

    @staticmethod
    def drawn(draw: np.random.Generator) -> _Light:
        lamp, behind = draw.normal(0, 0.15, 3), np.exp(draw.normal(0, 0.15) + draw.normal(0, _TINT, 3))
        return _Light(torch.from_numpy(lamp).float(), torch.from_numpy(behind).float())

    def on(self, pictures: Tensor, normals: Tensor, regions: Tensor) -> Tensor:
        """Relight pictures [n, 3, s, s] from -1 to 1 of heads with normals [n, 3, s, s] and labels [n, s, s]."""
        # Over 7 px the one light gives way to the other.
        head = F.avg_pool2d((regions != EMPTY).float()[:, None], 7, 1, 3, count_include_pad=False)
        lamp = torch.exp((self.lamp[:, None, None] * normals).sum(1, keepdim=True))
        gain = torch.lerp(self.behind[:, None, None].expand_as(pictures), lamp.expand_as(pictures), head)
        return (gain * (pictures + 1.0)).clamp(0.0, 2.0) - 1.0


@dataclass(frozen=True)
class _Change:
    """A linear map of places, and of colours."""

    back: Tensor  # [2, 3] from the cut to the picture, px
    size: int
    side: int
    gain: Tensor  # [3]
    gamma: float
    normal: Tensor  # [2, 2] what the map does to normals in the picture's plane

    @staticmethod
    def none(side: int, cut: Cut) -> _Change:
        """Take the middle of the picture as it is."""
        corner = (side - cut.size) / 2
        back = torch.tensor([[1.0, 0.0, corner], [0.0, 1.0, corner]])
        return _Change(back, cut.size, side, torch.ones(3), 1.0, torch.eye(2))

    @staticmethod
    def drawn(draw: np.random.Generator, side: int, cut: Cut, landmarks: NDArray[np.floating]) -> _Change:
        """Most cuts lie in the face, where most is to be learnt."""
        scale = np.exp(draw.normal(0.0, 0.12))
        stretch, slant, turn = np.exp(draw.normal(0, 0.12)), draw.normal(0, 0.08), draw.normal(0, 0.12)  # turn: rad
        mirror = -1.0 if draw.random() < 0.5 else 1.0
        turning = np.asarray([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        linear = scale * turning @ np.asarray([[mirror * stretch**0.5, slant], [0.0, stretch**-0.5]])
        middle = np.full(2, side / 2)
        if cut.size < side and draw.random() < 0.75:
            middle = landmarks[int(draw.integers(len(landmarks)))] + draw.normal(0, 0.08 * side, 2)
        elif cut.size < side:
            middle = draw.uniform(0.2, 0.8, 2) * side
        middle = np.clip(middle, 0.2 * side, 0.8 * side)
        inverse = np.linalg.inv(linear)
        back = np.column_stack([inverse, middle - inverse @ np.full(2, cut.size / 2)])
        gain = np.exp(draw.normal(0, 0.12) + draw.normal(0, _TINT, 3))
        across = inverse.T * np.sqrt(abs(np.linalg.det(linear)))
        return _Change(
            torch.from_numpy(back).float(),
            cut.size,
            side,
            torch.from_numpy(gain).float(),
            float(np.exp(draw.normal(0, 0.15))),
            torch.from_numpy(across).float(),
        )

    def colours(self, pictures: Sequence[Bytes]) -> Tensor:
        """Map colours to [n, 3, s, s] from -1 to 1; beyond the picture it is mirrored."""
        mapped = self._mapped(_stacked(pictures), "bilinear", "reflection") / 255.0
        return (self.gain[:, None, None] * mapped.clamp(0.0, 1.0) ** self.gamma).clamp(0.0, 1.0) * 2.0 - 1.0

    def normals(self, pictures: Sequence[Bytes]) -> Tensor:
        """Map normals to [n, 3, s, s]; 0 beyond the picture."""
        mapped = self._mapped(_stacked(pictures) - NO_SURFACE, "bilinear", "zeros") / 127.0
        return torch.cat([torch.einsum("ij,njhw->nihw", self.normal, mapped[:, :2]), mapped[:, 2:]], 1)

    def labels(self, pictures: Sequence[Bytes]) -> Tensor:
        """Map labels to [n, s, s] uint8; empty beyond the picture."""
        found = self._mapped(_stacked(pictures) - EMPTY, "nearest", "zeros") + EMPTY
        return found[:, 0].round().to(torch.uint8)

    def share(self, pictures: Sequence[Bytes]) -> Tensor:
        """Map a share to [n, 1, s, s] from 0 to 1."""
        return self._mapped(_stacked(pictures), "bilinear", "zeros") / 255.0

    def _mapped(self, pictures: Tensor, method: str, border: str) -> Tensor:
        at = torch.arange(self.size) + 0.5
        y, x = torch.meshgrid(at, at, indexing="ij")
        places = torch.stack([x, y, torch.ones_like(x)], -1) @ self.back.T  # px of the picture
        grid = (2.0 * places / self.side - 1.0).expand(len(pictures), -1, -1, -1)
        return F.grid_sample(pictures, grid, mode=method, padding_mode=border, align_corners=False)


def _stacked(pictures: Sequence[Bytes]) -> Tensor:
    """Stack pictures to float [n, C, S, S]."""
    stacked = torch.from_numpy(np.stack(pictures)).float()
    return stacked[:, None] if stacked.dim() == 3 else stacked.permute(0, 3, 1, 2)
