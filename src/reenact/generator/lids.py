# SPDX-License-Identifier: Apache-2.0
"""Skin that unrolls when an eye shuts, and the line of lashes along the shut lid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.heads.model import Float, Int
from reenact.heads.rig import Rig

from .filters import eroded, ramp, smoothstep
from .light import luma
from .lines import nearest_on
from .moment import Moment
from .window import Box

_STRETCHED = (1.5, 2.8)  # driven over photographed area between which a texture stops being believed
_LINE_M = 0.0006  # half the thickness of lid edge and lashes together
_OPACITY = 0.95
_SHUT = (0.35, 0.9)  # share of the way to shut over which the line appears


@dataclass(frozen=True)
class Lids:
    """Both lids of one eye."""

    upper: Int  # [Q] vertices along the edges, from the nose outwards
    lower: Int
    opening_m: float  # mean distance of the edges in the photo
    lashes: Float  # [3] colour

    def closing(self, shape: Float) -> float:
        """How far the eye has shut since the photo, 0 to 1. shape: [V, 3] canonical."""
        if self.opening_m < 1e-4:
            return 0.0
        return float(np.clip(1.0 - _opening(shape, self.upper, self.lower) / self.opening_m, 0.0, 1.0))

    def lash_line(self, box: Box, now: Moment, px_per_m: float) -> Float:
        """[h, w] opacity, over a window, of the lashes along the edge of the shut lid."""
        shut = ramp(*_SHUT, self.closing(now.shape))
        if shut == 0.0:
            return np.zeros(box.shape, np.float32)
        near = nearest_on(0.5 * (now.px[self.upper, :2] + now.px[self.lower, :2]), box)
        width = max(_LINE_M * px_per_m, 0.9)
        ends = smoothstep(0.0, 0.05, near.place) * smoothstep(1.0, 0.94, near.place)
        fade = ends * (0.7 + 0.3 * smoothstep(0.1, 0.6, near.place))  # lashes grow thicker outwards
        return _OPACITY * shut * np.exp(-((near.distance / width) ** 2)) * fade


def find_lids(rig: Rig, side: int, at: Moment, photo: NDArray[np.uint8], px_per_m: float) -> Lids:
    """The lids of the subject's left (side 0) or right eye, as the photo [P, P, 3] shows them."""
    contacts = rig.topology.lid_contacts
    own = contacts[(rig.neutral[contacts[:, 0], 0] > 0) == (side == 0)]
    upper, lower = own[np.argsort(np.abs(rig.neutral[own[:, 0], 0]))].T
    radius = max(1, round(0.0012 * px_per_m))
    darkest = eroded(photo, radius)
    place = np.clip(np.floor(at.px[upper, :2]), 0, photo.shape[0] - 1).astype(int)
    seen = darkest[place[:, 1], place[:, 0]]
    lashes = seen[np.argsort(luma(seen))[: len(seen) // 2]].mean(axis=0)
    return Lids(upper, lower, _opening(at.shape, upper, lower), lashes)


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
    return float(np.linalg.norm(shape[upper] - shape[lower], axis=1).mean())
