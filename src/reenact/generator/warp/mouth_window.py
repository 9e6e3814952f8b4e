# SPDX-License-Identifier: Apache-2.0
"""The window around the mouth: lips and what is behind them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reenact.head.model import Float
from reenact.head.regions import MOUTH_INTERIOR, region_ids
from reenact.head.shape import HeadShape
from reenact.head.teeth import tooth_normals, tooth_places

from .filters import blur, extrapolate, remap, smoothstep, smoothstep_of
from .finer import finer
from .inner_lips import InnerLips, without_teeth
from .lids import stretch
from .lines import nearest_on
from .moment import Moment
from .mouth import INTERIOR_IDS, Mouth, look_inside
from .skin import Skin, distance_to
from .window import Box, Drawing, box_around, draw

_LIPS = region_ids("lips")
_TIGHT = 0.06  # margin of what is drawn anew, in widths of the mouth
_REACH_M = 0.055  # of the skin around the lips that the window may show
_STILL_M = (0.0025, 0.0006)  # motion of the lips over which the photo's own mouth gives way to the one put together
_RIM_M = 0.0015
_BLEND_PX = 0.8  # of the lips with the skin around them, which was drawn with larger triangles
_BORDER_M = 0.0020  # along the border of the lips their texture is kept: it has the photo's soft edge
_ROUND_M, _WIDE_M = 0.0007, (0.002, 0.006)  # of the opening's contour; gap over which that comes about
_TOOTH_M = 0.004  # from the lips' edge, within which a fit that is off may take teeth for lips
_LINE_M, _DARKNESS = 0.0006, 0.5  # of the line of the shut lips


class MouthWindow:
    """The mouth of the photo, and its place in a frame."""

    margin = 0.25

    def __init__(
        self, photo: NDArray[np.uint8], head: HeadShape, skin: Skin, white_of_eyes: Float, at: Moment, box: Box
    ) -> None:
        """box: around the mouth, in the photo. white_of_eyes: [3] unshaded, 0 to 255."""
        top = head.topology
        self.anchors = top.region_vertices(*_LIPS)
        self._photo = photo
        self._head = head
        self._moving = np.union1d(self.anchors, top.region_vertices(*region_ids("tongue")))
        self._at = at
        pairs = top.lip_contacts
        self._pairs = pairs[np.argsort(head.neutral.numpy()[pairs[:, 0], 0])]
        self._contacts = pairs.ravel()
        self._faces = top.faces[np.isin(top.faces, self.anchors).any(axis=1)]
        border = np.intersect1d(self.anchors, top.region_vertices(*region_ids("skin")))
        self._within = smoothstep(0.0, _BORDER_M, distance_to(head, border))
        near = distance_to(head, self.anchors) < _REACH_M
        near[top.region_vertices(*region_ids(*MOUTH_INTERIOR))] = True
        self._surface = finer(head, near)
        self._places = tooth_places(head)
        self._teeth, self._tooth_normals = tooth_normals(head)
        # The inner edge of the lips: half a pixel off, it would drag along teeth, or the dark line of shut lips.
        self._rim = np.exp(-((distance_to(head, self._contacts) / _RIM_M) ** 2))
        self._apart = smoothstep_of(0.0005, 0.002, self._gap(at))
        drawing = draw(self._surface, at.drawn, box)
        surface = drawing.carry(self._inside(at))
        lips = np.average(skin.fill[self.anchors], axis=0, weights=skin.visibility[self.anchors] + 1e-3)
        px_per_m, gap = at.px_per_m(self.anchors), self._gap(at)
        self._mouth: Mouth = look_inside(
            photo, drawing, surface, top, at, skin.light, white_of_eyes, lips, px_per_m, gap
        )
        self._inner = InnerLips(head, skin, self._mouth.lip_lining)
        if self._apart > 0.0:
            edge = drawing.carry(distance_to(head, self._contacts)[:, None])[..., 0] < _TOOTH_M
            self._photo = without_teeth(photo, drawing, edge, self._inner.fill(at), lips)

    def compose(self, patch: Float, skin: Skin, drawing: Drawing, back: Float, grid: Float, now: Moment) -> Float:
        """As EyeWindow.compose, for lips and the inside of the mouth; these are drawn finer than the face is."""
        moved = 1.0 - self._stillness(now)
        if moved == 0.0:
            return patch
        box = box_around(now.px[self._moving], _TIGHT, len(self._photo))
        box = None if box is None else box.within(drawing.box)
        if box is None:
            return patch
        at = box.slices_in(drawing.box)
        out = patch.copy()
        whole = self._compose(patch[at], draw(self._surface, now.drawn, box), grid[at], skin, now)
        out[at] += moved * (whole - patch[at])
        return out

    def _compose(self, patch: Float, drawing: Drawing, grid: Float, skin: Skin, now: Moment) -> Float:
        """The mouth as it is put together, in a box just around it."""
        apart = max(self._apart, smoothstep_of(0.0005, 0.003, self._gap(now)))
        unsure = np.maximum(self._within * stretch(self._faces, self._at.px, now.px), apart * self._rim)
        way = (self._at.px - now.px)[:, :2]
        hidden = np.maximum(unsure, 1.0 - skin.visibility)
        own = drawing.carry(np.column_stack([self._inside(now), way, self._inner.fill(now), hidden]))
        inside, back, fill, hidden = own[..., :6], own[..., 6:8], own[..., 8:11], own[..., 11:]
        lips = remap(self._photo, grid + back)
        lips = lips + np.clip(hidden, 0.0, 1.0) * (fill - lips)
        whole = patch + blur(drawing.mask(*_LIPS, *INTERIOR_IDS), _BLEND_PX)[..., None] * (lips - patch)
        whole = whole.astype(np.float32, copy=False)
        px_per_m = now.px_per_m(self.anchors)
        hole = self._hole(drawing, now)
        cover = self._opening(drawing, hole, now, px_per_m)
        if cover.any():
            whole = extrapolate(whole, ~(drawing.mask(*INTERIOR_IDS) | hole), 3)
            colour = self._mouth.paint(drawing, inside, hole, self._at.px, now.px, px_per_m, grid, self._gap(now))
            whole += cover * (colour - whole)
        return np.asarray(whole * (1.0 - self._line(drawing.box, now, px_per_m))[..., None], np.float32)

    def _hole(self, drawing: Drawing, now: Moment) -> NDArray[np.bool_]:
        """[h, w] where between the lips the drawing shows neither them nor the inside, but a chin pulled behind it."""
        if self._gap(now) < _WIDE_M[1]:
            return np.zeros(drawing.box.shape, bool)
        lines = self._head.inner_lips.lines(torch.from_numpy(now.px[None, :, :2]))[0]
        upper, lower = lines.numpy() - drawing.box.corner
        line = np.concatenate([upper, lower[::-1]])
        between = np.zeros(drawing.box.shape, np.uint8)
        cv2.fillPoly(between, [np.rint(line - 0.5).astype(np.int32)], (1,))
        return (between > 0) & ~drawing.mask(*_LIPS, *INTERIOR_IDS)

    def _opening(self, drawing: Drawing, hole: NDArray[np.bool_], now: Moment, px_per_m: float) -> Float:
        """[h, w, 1] share of each pixel that shows the inside: flesh has no corners, so a wide opening gets none."""
        cover = np.maximum(drawing.coverage(*INTERIOR_IDS), hole.astype(np.float32))
        wide = smoothstep_of(*_WIDE_M, self._gap(now))
        round_ = smoothstep(0.2, 0.8, blur(cover, max(_ROUND_M * px_per_m, 0.5)))
        return (cover + wide * (round_ - cover))[..., None]

    def _inside(self, at: Moment) -> Float:
        """[V, 6] what mouth.Mouth wants to know: normals, depth behind the lips, places on the teeth."""
        normals = at.normals.copy()
        normals[self._teeth] = self._tooth_normals @ at.state.rotation[0].numpy().T
        depth = at.shape[self._contacts, 2].mean() - at.shape[:, 2]
        return np.column_stack([normals, depth, self._places])

    def _line(self, box: Box, now: Moment, px_per_m: float) -> Float:
        """[h, w] darkness of the line of lips that stood apart in the photo and are shut now."""
        shut = self._apart * smoothstep_of(0.0012, 0.0004, self._gap(now))
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
        return smoothstep_of(*_STILL_M, np.abs(now.shape[self._contacts] - self._at.shape[self._contacts]).max())
