# SPDX-License-Identifier: Apache-2.0
"""The light of the reference image, estimated from skin: brightness as a linear function of the surface normal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reenact.head.model import Float

_SKIN_CHROMA = 0.3  # of ordinary skin; see `chroma`
_LUMA = np.asarray([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


@dataclass(frozen=True)
class Light:
    """First-order light: shade(n) = ambient + direction . n, in units of the skin's mean brightness."""

    ambient: float
    direction: Float  # [3] camera axes
    skin: Float  # [3] mean skin colour, 0 to 255

    @classmethod
    def fit(cls, colours: Float, normals: Float, weights: Float) -> Light:
        """Fit the light to samples of skin.

        The fit is robust (iteratively reweighted least squares with Cauchy's weights): hair, beard, brows, lashes and
        glasses over the skin are outliers, and nearly all of them are dark.

        Args:
            colours: [N, 3] 0 to 255.
            normals: [N, 3] unit, camera space.
            weights: [N] not negative.
        """
        brightness = luma(colours)
        weight = weights.copy()
        basis = np.column_stack([np.ones(len(normals)), normals])
        # A prior of frontal light keeps directions without samples sane.
        prior = np.diag([0.0, 1.0, 1.0, 1.0]) * 0.02 * weight.sum()
        fit = np.zeros(4)
        for _ in range(6):  # rounds
            fit = np.linalg.solve((basis * weight[:, None]).T @ basis + prior, (basis * weight[:, None]).T @ brightness)
            error = brightness - basis @ fit
            scale = np.average(np.abs(error), weights=weights) + 1e-3
            # Samples that are darker than expected count less than brighter ones.
            weight = weights / (1.0 + (error / scale) ** 2) * np.where(error < 0.0, 0.3, 1.0)
        mean = float(np.average(basis @ fit, weights=weight))
        skin = np.average(colours, axis=0, weights=weight)
        fit = fit / max(mean, 1.0)
        return cls(float(fit[0]), fit[1:].astype(np.float32), skin.astype(np.float32))

    def shade(self, normals: Float) -> Float:
        """Return the brightness [...] of surfaces with normals [..., 3]: about 1 on a face, never below 0.15."""
        return np.maximum(self.ambient + normals @ self.direction, 0.15).astype(np.float32)

    @property
    def saturation(self) -> float:
        """0 for an image in black and white, 1 for ordinary skin."""
        return min(chroma(self.skin) / _SKIN_CHROMA, 1.0)

    def saturate(self, colour: Float) -> Float:
        """Return a colour of flesh [..., 3] as this image would show it: grey where all is grey."""
        return saturate(colour, self.saturation)

    def gloss(self, normals: Float) -> Float:
        """Return the reflection of the light on wet surfaces [...], 0 to 1 (Blinn's model, exponent 24).

        Args:
            normals: [..., 3] unit, camera space.
        """
        towards_light = self.direction / max(float(np.linalg.norm(self.direction)), 1e-6)
        half = towards_light + np.asarray([0.0, 0.0, -1.0], np.float32)
        half /= max(float(np.linalg.norm(half)), 1e-6)
        return np.clip(normals @ half, 0.0, 1.0).astype(np.float32) ** 24


def luma(colours: Float) -> Float:
    """Return the brightness [...] of RGB colours [..., 3]."""
    return colours @ _LUMA


def chroma(colour: Float) -> float:
    """Return the range of the channels of a colour [3] over its brightness: 0 for grey."""
    return float(colour.max() - colour.min()) / max(float(luma(colour)), 1.0)


def saturate(colour: Float, saturation: float) -> Float:
    """Interpolate colours [..., 3] from grey (saturation 0) to what they are (1)."""
    grey = luma(colour)[..., None]
    return grey + np.float32(saturation) * (colour - grey)
