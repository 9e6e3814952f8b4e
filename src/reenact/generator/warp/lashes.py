# SPDX-License-Identifier: Apache-2.0
"""The upper lashes: lifted off the photo's lid, and hung on the lid's edge wherever it goes.

In an open eye the lashes lie over the lid. As it shuts they come down with its edge, point at the viewer half way,
and hang over the cheek at last. A texture that moves with the skin would leave them standing on the shut lid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reenact.head.model import Float

from .eye_frame import EyeFrame
from .filters import blur, dilate, erode, remap_mask, smoothstep
from .light import luma
from .window import Box

_ALONG = (0.0, 1.22)  # reach of the lashes, in eye widths from the inner corner
_ROOTED = (0.02, 0.16)  # none grow at the tear duct
_TALL = 0.27  # and above the lid's edge
_STRIP = (160, 56)  # samples along, up
_STRAND = 0.085  # half the width of the widest lash or liner, in eye widths
_SURE = (0.04, 0.14)  # darker than the skin by this share is a lash
_HANGS = 0.62  # length of the lashes on a shut lid, against that on the open one: they point at the viewer more
_EARLY = 0.7  # the lid rolls over the ball: its lashes drop most while it has just begun to shut
_LINE = 0.016  # half the thickness of the line in which shut lids meet, in eye widths
_FINEST_PX, _OPACITY = 0.8, 0.92
_SHUT = (0.3, 0.85)  # share of the way to shut over which that line appears


@dataclass(frozen=True)
class Lashes:
    """One eye's, as the photo shows them."""

    opacity: Float  # [up, along] over `_ALONG` and 0 to `_TALL`
    colour: Float  # [3] 0 to 255
    thickness: float  # half that of the line of lid edge and lashes, eye widths

    def over(self, places: tuple[Float, Float], width_px: float, closing: float) -> Float:
        """[h, w] opacity of the lashes over a window.

        places: see EyeFrame.of_pixels. width_px: of the eye. closing: 0 as in the photo, 1 shut.
        """
        along, height = places
        length = 1.0 - (1.0 + _HANGS) * closing**_EARLY
        length = np.copysign(max(abs(length), 0.12), length)
        rows, columns = self.opacity.shape
        x = (along - _ALONG[0]) * (columns / (_ALONG[1] - _ALONG[0])) - 0.5
        y = height * (rows / _TALL / length) - 0.5
        strip = remap_mask(self.opacity, np.stack([x, y], axis=-1))
        # Seen end on, the same lashes take less of the picture and are denser in it.
        strip = 1.0 - (1.0 - strip) ** (1.0 / abs(length) ** 0.5)
        shut = smoothstep(*_SHUT, np.asarray(closing))
        roots = remap_mask(self._roots(), np.stack([x, np.zeros_like(x)], axis=-1))
        return np.maximum(strip, np.maximum(roots, shut * _ends(along)) * self._line(along, height, width_px))

    def _roots(self) -> Float:
        """[1, along] opacity at the lid's edge: what the photo's own lid has there."""
        return self.opacity[: max(1, len(self.opacity) // 8)].max(axis=0, keepdims=True)

    def _line(self, along: Float, height: Float, width_px: float) -> Float:
        """[h, w] along the edge itself, never so thin that it breaks up into pixels."""
        half = np.maximum(self.thickness * (0.75 + 0.5 * smoothstep(0.2, 0.8, along)), _FINEST_PX / max(width_px, 1.0))
        return np.asarray(_OPACITY * np.exp(-((height / half) ** 2)), np.float32)


def lift_lashes(
    picture: Float, opening: Float, skin: Float, liftable: Float, frame: EyeFrame, box: Box
) -> tuple[Lashes, Float]:
    """The lashes of the photo, and [h, w, 3] what to add to it so that bare skin is left.

    picture: [h, w, 3] the photo's window, 0 to 255. opening: [h, w] share of each pixel that shows the eyeball.
    skin: [3] its colour nearby. liftable: [h, w] 0 where dark hair is something else (a brow, the side of the head).
    """
    along, height = frame.of_pixels(box)
    width = frame.width_px
    bare = _without_strands(picture, opening, skin, width)
    darker = np.clip(1.0 - luma(picture) / np.maximum(luma(bare), 1.0), 0.0, 1.0)
    where = smoothstep(*_ROOTED, along) * smoothstep(_ALONG[1], _ALONG[1] - 0.1, along)
    where *= smoothstep(_TALL, 0.7 * _TALL, height) * smoothstep(-0.06, -0.02, height) * liftable
    lash = smoothstep(*_SURE, darker) * where
    onto_skin = lash * (1.0 - opening)

    dark = np.asarray(darker * lash * smoothstep(-0.012, 0.004, height), np.float32)
    columns = np.linspace(*_ALONG, _STRIP[0], dtype=np.float32)
    rows = np.linspace(0.0, _TALL, _STRIP[1], dtype=np.float32)
    at = frame.pixels(*np.broadcast_arrays(columns[None], rows[:, None])) - box.corner - 0.5
    colour = _lash_colour(picture, lash.astype(np.float32, copy=False))
    depth = 1.0 - float(luma(colour)) / max(float(luma(skin)), 1.0)
    opacity = np.asarray(np.clip(remap_mask(dark, at) / max(depth, 0.2), 0.0, 1.0), np.float32)
    near = opacity[: _STRIP[1] // 3].sum(axis=0) * (_TALL / _STRIP[1])  # eye widths of full darkness near the edge
    middle = near[_STRIP[0] // 4 : -_STRIP[0] // 4]
    thickness = float(np.clip(0.35 * np.median(middle), _LINE, 2.2 * _LINE))
    return Lashes(opacity, colour, thickness), np.asarray(onto_skin[..., None] * (bare - picture), np.float32)


def _ends(along: Float) -> Float:
    return smoothstep(-0.02, 0.10, along) * smoothstep(1.04, 0.93, along)


def _without_strands(picture: Float, opening: Float, skin: Float, width_px: float) -> Float:
    """[h, w, 3] the picture with thin dark strands filled from beside, the eyeball counted as skin."""
    covered = picture + opening[..., None] * (skin - picture)
    radius = max(1, round(_STRAND * width_px))
    closed = erode(dilate(covered, radius), radius)
    return blur(closed, 0.4 * radius)


def _lash_colour(picture: Float, lash: Float) -> Float:
    """[3] of the darkest lashes; nearly black where there are none to be seen."""
    rows = picture[lash > 0.6]
    if len(rows) < 6:
        return np.asarray([38.0, 30.0, 28.0], np.float32)
    brightness = luma(rows)
    return np.median(rows[brightness <= np.quantile(brightness, 0.3)], axis=0).astype(np.float32)
