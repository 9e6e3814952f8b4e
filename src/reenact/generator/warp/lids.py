# SPDX-License-Identifier: Apache-2.0
"""Lids: how far they have shut, the shade between them, and skin that unrolls as they do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reenact.head.model import Float, Int
from reenact.head.shape import HeadShape

from .eye_frame import EyeFrame, eye_frame
from .filters import smoothstep, smoothstep_of
from .moment import Moment

_STRETCHED = (1.5, 2.8)  # driven over photographed area between which a texture stops being believed
_SHADE, _SHADE_ABOVE, _SHADE_BELOW = 0.16, 0.10, 0.06  # reach in eye widths
_SHUT = (0.35, 0.9)  # share of the way to shut over which it appears


@dataclass(frozen=True)
class Lids:
    """Both lids of one eye."""

    upper: Int  # [Q] vertices along the edges, from the nose outwards
    lower: Int
    opening_m: float  # mean distance of the edges in the photo

    @property
    def rim(self) -> Int:
        """[2 Q] vertices of both edges."""
        return np.concatenate([self.upper, self.lower])

    def closing(self, shape: Float) -> float:
        """How far the eye has shut since the photo, 0 to 1. shape: [V, 3] canonical."""
        if self.opening_m < 1e-4:
            return 0.0
        return float(np.clip(1.0 - _opening(shape, self.upper, self.lower) / self.opening_m, 0.0, 1.0))

    def frame(self, at: Moment) -> EyeFrame:
        """The eye's coordinates in the picture of a moment."""
        return eye_frame(at.px[self.upper, :2], at.px[self.lower, :2])

    def shade(self, places: tuple[Float, Float], closing: float) -> Float:
        """[h, w] darkness where the lids meet: the upper bulges over its edge, and its lashes shade the lower.

        places: see EyeFrame.of_pixels.
        """
        along, height = places
        shut = smoothstep_of(*_SHUT, closing)
        if shut == 0.0:
            return np.zeros(along.shape, np.float32)
        ends = smoothstep(-0.1, 0.15, along) * smoothstep(1.1, 0.85, along)
        reach = np.where(height > 0.0, _SHADE_ABOVE, _SHADE_BELOW)
        return (shut * _SHADE * ends * np.exp(-((height / reach) ** 2))).astype(np.float32)


def find_lids(head: HeadShape, side: int, at: Moment) -> Lids:
    """The lids of the subject's left (side 0) or right eye, as the photo shows them."""
    contacts = head.topology.lid_contacts
    own = contacts[(head.neutral.numpy()[contacts[:, 0], 0] > 0) == (side == 0)]
    upper, lower = own[np.argsort(np.abs(head.neutral.numpy()[own[:, 0], 0]))].T
    return Lids(upper, lower, _opening(at.shape, upper, lower))


def stretch(faces: Int, photo_px: Float, px: Float) -> Float:
    """[V] 0 where the picture keeps its size, 1 where it is drawn out so far that its texture means nothing."""
    before, after = _areas(faces, photo_px), _areas(faces, px)
    total_before = np.bincount(faces.ravel(), np.repeat(before, 3), len(px))
    total_after = np.bincount(faces.ravel(), np.repeat(after, 3), len(px))
    return smoothstep(*_STRETCHED, total_after / np.maximum(total_before, 1e-3))


def _areas(faces: Int, px: Float) -> Float:
    """[F] of the triangles that face the camera, 0 for those that face away."""
    a, b, c = (px[faces[:, i], :2] for i in range(3))
    twice = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return np.maximum(-0.5 * twice, 0.0)


def _opening(shape: Float, upper: Int, lower: Int) -> float:
    return float(np.maximum(shape[upper, 1] - shape[lower, 1], 0.0).mean())
