# SPDX-License-Identifier: Apache-2.0
"""The photo's light, read off the skin: brightness as a linear function of the surface normal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reenact.head.model import Float

_ROUNDS = 6
_DARKER = 0.3  # weight of samples that are darker than expected, against brighter ones
_WETNESS = 24
_ORDINARY_SPREAD = 0.3  # of the channels of skin, against its brightness
_LUMA = np.asarray([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class Light:
    """First-order light: shade(n) = ambient + direction . n, in units of the skin's mean brightness."""

    ambient: float
    direction: Float  # [3] camera axes
    skin: Float  # [3] mean skin colour, 0 to 255

    def shade(self, normals: Float) -> Float:
        """[..., 3] unit camera-space normals -> [...] brightness, about 1 on a face, never below 0.15."""
        return np.maximum(self.ambient + normals @ self.direction, 0.15).astype(np.float32)

    @property
    def colourful(self) -> float:
        """0 for a photo in black and white, 1 for ordinary skin."""
        return min(spread(self.skin) / _ORDINARY_SPREAD, 1.0)

    def tinted(self, colour: Float) -> Float:
        """[..., 3] a colour of flesh as this photo would show it: grey where all is grey."""
        return tinted(colour, self.colourful)

    def gloss(self, normals: Float) -> Float:
        """[..., 3] -> [...] reflection of the light on a wet surface, 0 to 1 (Blinn's model)."""
        toward = self.direction / max(float(np.linalg.norm(self.direction)), 1e-6)
        half = toward + np.asarray([0.0, 0.0, -1.0], np.float32)
        half /= max(float(np.linalg.norm(half)), 1e-6)
        return np.clip(normals @ half, 0.0, 1.0).astype(np.float32) ** _WETNESS


def luma(colours: Float) -> Float:
    """[..., 3] RGB -> [...] brightness."""
    return colours @ _LUMA


def spread(colour: Float) -> float:
    """Of the channels of a colour [3], against its brightness: 0 for grey."""
    return float(colour.max() - colour.min()) / max(float(luma(colour)), 1.0)


def tinted(colour: Float, colourful: float) -> Float:
    """[..., 3] colours on their way from grey (0) to what they are (1)."""
    grey = luma(colour)[..., None]
    return grey + np.float32(colourful) * (colour - grey)


def estimate(colours: Float, normals: Float, trust: Float) -> Light:
    """Fit the light to skin samples: colours [N, 3] 0 to 255, unit normals [N, 3], trust [N] >= 0.

    Robust: hair, beard, brows, lashes and glasses over the skin are outliers, and nearly all of them dark.
    """
    brightness = luma(colours)
    weight = trust.copy()
    basis = np.column_stack([np.ones(len(normals)), normals])
    # A prior of frontal light keeps directions without samples sane.
    prior = np.diag([0.0, 1.0, 1.0, 1.0]) * 0.02 * weight.sum()
    fit = np.zeros(4)
    for _ in range(_ROUNDS):
        fit = np.linalg.solve((basis * weight[:, None]).T @ basis + prior, (basis * weight[:, None]).T @ brightness)
        error = brightness - basis @ fit
        scale = np.average(np.abs(error), weights=trust) + 1e-3
        weight = trust / (1.0 + (error / scale) ** 2) * np.where(error < 0.0, _DARKER, 1.0)
    mean = float(np.average(basis @ fit, weights=weight))
    skin = np.average(colours, axis=0, weights=weight)
    fit = fit / max(mean, 1.0)
    return Light(float(fit[0]), fit[1:].astype(np.float32), skin.astype(np.float32))
