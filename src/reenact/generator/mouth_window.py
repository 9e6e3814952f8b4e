# SPDX-License-Identifier: Apache-2.0
"""The window around the mouth: lips and what is behind them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reenact.heads.model import Float
from reenact.heads.regions import region_ids
from reenact.heads.rig import Rig

from .filters import ramp, smoothstep
from .lids import stretch
from .lines import nearest_on
from .moment import Moment
from .mouth import INTERIOR_IDS, Mouth, look_inside
from .skin import Skin, distance_to
from .teeth import tooth_normals, tooth_places
from .window import Box, Drawing

_LIPS = region_ids("lips")
_STILL_M = (0.0025, 0.0006)  # motion of the lips over which the photo's own mouth gives way to the one put together
_RIM_M = 0.0015
_LINE_M, _DARKNESS = 0.0006, 0.5  # of the line of the shut lips


class MouthWindow:
    """The mouth of the photo, and its place in a frame."""

    margin = 0.25

    def __init__(
        self, photo: NDArray[np.uint8], rig: Rig, skin: Skin, white_of_eyes: Float, at: Moment, drawing: Drawing
    ) -> None:
        """drawing: of the photo's state, around the mouth. white_of_eyes: [3] unshaded, 0 to 255."""
        top = rig.topology
        self.anchors = top.region_vertices(*_LIPS)
        self._at = at
        pairs = top.lip_contacts
        self._pairs = pairs[np.argsort(rig.neutral[pairs[:, 0], 0])]
        self._contacts = pairs.ravel()
        self._faces = top.faces[np.isin(top.faces, self.anchors).any(axis=1)]
        self._places = tooth_places(rig)
        self._teeth, self._tooth_normals = tooth_normals(rig)
        # The inner edge of the lips: half a pixel off, it would drag along teeth, or the dark line of shut lips.
        self._rim = np.exp(-((distance_to(rig, self._contacts) / _RIM_M) ** 2))
        self._apart = ramp(0.0005, 0.002, self._gap(at))
        surface = drawing.carry(self._surface(at))
        px_per_m = at.px_per_m(self.anchors)
        self._mouth: Mouth = look_inside(photo, drawing, surface, top, at, skin.light, white_of_eyes, px_per_m)

    def compose(self, patch: Float, skin: Skin, drawing: Drawing, back: Float, grid: Float, now: Moment) -> Float:
        """As EyeWindow.compose, for lips and the inside of the mouth."""
        moved = 1.0 - self._stillness(now)
        if moved == 0.0:
            return patch
        apart = max(self._apart, ramp(0.0005, 0.003, self._gap(now)))
        unsure = np.maximum(stretch(self._faces, self._at.px, now.px), apart * self._rim)
        own = drawing.carry(np.column_stack([self._surface(now), unsure]))
        hidden, fill = skin.hidden(drawing)
        hidden = np.maximum(hidden, own[..., -1] * drawing.mask(*_LIPS))
        patch = patch + moved * hidden[..., None] * (fill - patch)
        cover = drawing.coverage(*INTERIOR_IDS)[..., None]
        px_per_m = now.px_per_m(self.anchors)
        if cover.any():
            colour = self._mouth.paint(drawing, own[..., :-1], self._at.px, now.px, px_per_m, grid)
            patch += cover * moved * (colour - patch)
        return patch * (1.0 - self._line(drawing.box, now, px_per_m))[..., None]

    def _surface(self, at: Moment) -> Float:
        """[V, 6] what mouth.Mouth wants to know: normals, depth behind the lips, places on the teeth."""
        normals = at.normals.copy()
        normals[self._teeth] = self._tooth_normals @ at.state.R_cam_head.T
        depth = at.shape[self._contacts, 2].mean() - at.shape[:, 2]
        return np.column_stack([normals, depth, self._places])

    def _line(self, box: Box, now: Moment, px_per_m: float) -> Float:
        """[h, w] darkness of the line of lips that stood apart in the photo and are shut now."""
        shut = self._apart * ramp(0.0012, 0.0004, self._gap(now))
        if shut == 0.0:
            return np.zeros(box.shape, np.float32)
        near = nearest_on(now.px[self._pairs, :2].mean(axis=1), box)
        width = max(_LINE_M * px_per_m, 0.7)
        ends = smoothstep(0.0, 0.1, near.place) * smoothstep(1.0, 0.9, near.place)
        return (_DARKNESS * shut * ends * np.exp(-((near.distance / width) ** 2))).astype(np.float32)

    def _gap(self, at: Moment) -> float:
        """Metres between the lips where they are farthest apart."""
        return float(np.linalg.norm(at.shape[self._pairs[:, 0]] - at.shape[self._pairs[:, 1]], axis=1).max())

    def _stillness(self, now: Moment) -> float:
        return ramp(*_STILL_M, np.abs(now.shape[self._contacts] - self._at.shape[self._contacts]).max())
