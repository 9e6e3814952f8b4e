# SPDX-License-Identifier: Apache-2.0
"""Seeded randomness: smooth noise in space, and generators that do not depend on batch, thread or device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reenact.head.smoothstep import smoothstep

_SIDE = 32
"""Lattice points along each side of a noise volume, which repeats beyond."""


def rng(seed: int, stream: str) -> np.random.Generator:
    """Make a generator for one purpose, so that one more sample for one thing changes nothing else."""
    return np.random.default_rng([seed, *stream.encode()])


def noise_volume(seed: int, stream: str, channels: int) -> Tensor:
    """Sample a standard normal lattice [channels, S+1, S+1, S+1] that wraps around."""
    lattice = rng(seed, stream).standard_normal((channels, _SIDE, _SIDE, _SIDE), dtype=np.float32)
    return torch.from_numpy(np.pad(lattice, ((0, 0), (0, 1), (0, 1), (0, 1)), mode="wrap"))


def noise(volume: Tensor, points: Tensor, wavelength: float | tuple[float, float, float]) -> Tensor:
    """Smooth noise of about zero mean and a standard deviation near 0.5 at points [N, 3] -> [N, channels].

    wavelength: distance of lattice points in the unit of `points`, for each axis if three are given.
    """
    scale = torch.as_tensor(wavelength, dtype=points.dtype, device=points.device)
    place = points / scale
    cell = torch.floor(place)
    share = smoothstep(0.0, 1.0, place - cell)  # or the lattice shows as creases
    at = (torch.remainder(cell, _SIDE) + share) * (2.0 / _SIDE) - 1.0
    grid = at.flip(-1)[None, :, None, None, :]  # grid_sample wants x last axis first
    out = torch.nn.functional.grid_sample(volume[None], grid, mode="bilinear", align_corners=True)
    return out[0, :, :, 0, 0].T


def fractal(volume: Tensor, points: Tensor, wavelength: float, octaves: int, gain: float = 0.6) -> Tensor:
    """Sum of `octaves` noises [N, channels], each half as long as the one before and `gain` as strong."""
    total = points.new_zeros(len(points), len(volume))
    for octave in range(octaves):
        # Shifted, or the lattices of all octaves would coincide at the origin.
        total += gain**octave * noise(volume, points + 7.3 * wavelength * octave, wavelength / 2**octave)
    return total


def linear(rgb: tuple[float, float, float] | np.ndarray) -> np.ndarray:
    """Convert sRGB in 0..255 to linear light in 0..1, float32."""
    value = np.asarray(rgb, np.float32) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)
