# SPDX-License-Identifier: Apache-2.0
"""The upper lashes: taken off the lid of the reference and attached to the lid's edge in every frame.

In an open eye the lashes lie over the lid. As it shuts they come down with its edge, point at the viewer half way,
and hang over the cheek at last. A texture that moves with the skin would leave them on the shut lid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reenact.head.model import Float

from .eyelids import EyeFrame
from .filters import blur, dilate, erode, remap_mask, smoothstep
from .light import luma
from .rasterised_mesh import Box

# Chosen. In brackets: mean change of the eyes, in grey levels, at half and at double, in 10 frames of the demo photo.
# Lengths are in eye widths.
_ALONG = (0.0, 1.22)  # reach of the lashes from the inner corner (0.61; 0.04)
_TALL = 0.27  # reach of the lashes above the lid's edge (0.55; 0.09)
_STRIP_PX = (160, 56)  # samples of the strip of lashes, along and up (0.02; 0.01)
_LINE = 0.016  # half the thickness of the line in which shut lids meet (0.02; 0.04)


@dataclass(frozen=True)
class Eyelashes:
    """The upper lashes of one eye, as the reference shows them."""

    opacity: Float  # [up, along] over 0 to `_TALL` and `_ALONG`
    colour: Float  # [3] 0 to 255
    thickness: float  # half that of the line of lid edge and lashes, eye widths

    @classmethod
    def from_reference(
        cls, patch: Float, opening: Float, skin: Float, removable: Float, frame: EyeFrame, box: Box
    ) -> tuple[Eyelashes, Float]:
        """Separate the lashes from the lid.

        Args:
            patch: [h, w, 3] the window in the reference, 0 to 255.
            opening: [h, w] share of each pixel that shows the eyeball.
            skin: [3] colour of the skin nearby, 0 to 255.
            removable: [h, w] 0 where dark hair is no lash but a brow, or at the side of the head.
            frame: coordinates of the eye in the reference.
            box: of the window.

        Returns:
            The lashes, and a residual [h, w, 3] that turns the window into bare skin.
        """
        along, height = frame.coordinates(box)
        width = frame.width_px
        bare = _without_strands(patch, opening, skin, width)
        darkness = np.clip(1.0 - luma(patch) / np.maximum(luma(bare), 1.0), 0.0, 1.0)
        # No lashes grow at the tear duct.
        where = smoothstep(0.02, 0.16, along) * smoothstep(_ALONG[1], _ALONG[1] - 0.1, along)
        where *= smoothstep(_TALL, 0.7 * _TALL, height) * smoothstep(-0.06, -0.02, height) * removable
        lash = smoothstep(0.04, 0.14, darkness) * where
        on_skin = lash * (1.0 - opening)

        dark = np.asarray(darkness * lash * smoothstep(-0.012, 0.004, height), np.float32)
        columns = np.linspace(*_ALONG, _STRIP_PX[0], dtype=np.float32)
        rows = np.linspace(0.0, _TALL, _STRIP_PX[1], dtype=np.float32)
        places = frame.to_px(*np.broadcast_arrays(columns[None], rows[:, None])) - box.corner - 0.5
        colour = _lash_colour(patch, lash.astype(np.float32, copy=False))
        contrast = 1.0 - float(luma(colour)) / max(float(luma(skin)), 1.0)
        opacity = np.asarray(np.clip(remap_mask(dark, places) / max(contrast, 0.2), 0.0, 1.0), np.float32)
        # Eye widths of full darkness near the edge.
        near = opacity[: _STRIP_PX[1] // 3].sum(axis=0) * (_TALL / _STRIP_PX[1])
        middle = near[_STRIP_PX[0] // 4 : -_STRIP_PX[0] // 4]
        thickness = float(np.clip(0.35 * np.median(middle), _LINE, 2.2 * _LINE))
        return cls(opacity, colour, thickness), np.asarray(on_skin[..., None] * (bare - patch), np.float32)

    def render(self, coordinates: tuple[Float, Float], width_px: float, closure: float) -> Float:
        """Return the opacity of the lashes over a window [h, w].

        Args:
            coordinates: see EyeFrame.coordinates.
            width_px: of the eye.
            closure: 0 as in the reference, 1 shut.
        """
        along, height = coordinates
        # On a shut lid lashes seem 0.62 as long, for they point at the viewer more. The lid rolls over the ball, so
        # that lashes drop most while it has just begun to shut.
        length = 1.0 - (1.0 + 0.62) * closure**0.7
        length = np.copysign(max(abs(length), 0.12), length)
        rows, columns = self.opacity.shape
        x = (along - _ALONG[0]) * (columns / (_ALONG[1] - _ALONG[0])) - 0.5
        y = height * (rows / _TALL / length) - 0.5
        strip = remap_mask(self.opacity, np.stack([x, y], axis=-1))
        # The shorter the same lashes seem, the denser they are.
        strip = 1.0 - (1.0 - strip) ** (1.0 / abs(length) ** 0.5)
        shut = smoothstep(0.3, 0.85, np.asarray(closure))
        ends = smoothstep(-0.02, 0.10, along) * smoothstep(1.04, 0.93, along)
        at_edge = self.opacity[: max(1, len(self.opacity) // 8)].max(axis=0, keepdims=True)
        roots = remap_mask(at_edge, np.stack([x, np.zeros_like(x)], axis=-1))
        return np.maximum(strip, np.maximum(roots, shut * ends) * self._line(along, height, width_px))

    def _line(self, along: Float, height: Float, width_px: float) -> Float:
        """Return the opacity of the line along the lid's edge [h, w]; it is never thinner than a pixel and a half."""
        half = np.maximum(self.thickness * (0.75 + 0.5 * smoothstep(0.2, 0.8, along)), 0.8 / max(width_px, 1.0))
        return np.asarray(0.92 * np.exp(-((height / half) ** 2)), np.float32)


def _without_strands(patch: Float, opening: Float, skin: Float, width_px: float) -> Float:
    """Return the patch [h, w, 3] with thin dark strands filled from beside, the eyeball counted as skin."""
    covered = patch + opening[..., None] * (skin - patch)
    radius = max(1, round(0.085 * width_px))  # half the width of the widest lash or liner
    closed = erode(dilate(covered, radius), radius)
    return blur(closed, 0.4 * radius)


def _lash_colour(patch: Float, lash: Float) -> Float:
    """Return the colour of the darkest lashes [3]; nearly black where there are none to be seen."""
    rows = patch[lash > 0.6]
    if len(rows) < 6:
        return np.asarray([38.0, 30.0, 28.0], np.float32)
    brightness = luma(rows)
    return np.median(rows[brightness <= np.quantile(brightness, 0.3)], axis=0).astype(np.float32)
