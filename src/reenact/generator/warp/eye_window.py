# SPDX-License-Identifier: Apache-2.0
"""The window around one eye: lid skin, lashes, eyeball."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reenact.head.model import Float, Int
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape
from reenact.head.spread import spread

from .eyes import EYE_IDS, Eye, take_apart
from .filters import blur, nearest_pixels, remap_mask, smoothstep, smoothstep_of
from .lashes import lift_lashes
from .lids import find_lids, stretch
from .moment import Moment
from .skin import Skin, distance_to
from .window import Drawing

_REACH_M = 0.026  # of the window, around the eyeball's centre
_STILL_M = (0.0012, 0.0003)  # motion of the lids over which the photo's own eye gives way to the one put together
_STILL_RAD = (0.06, 0.015)  # and of the gaze
_RIM_M = 0.002
_EDGE_M = 0.0018  # of a lid: liner, wet rim, misfit
_NEAR_M = 0.016  # reach of the lids' own colours
_RELIT = (0.8, 1.2)
_LID_IDS = region_ids("skin", "eyelids", "eye_socket")
_BELOW_BROW_M = (0.004, 0.008)
_BROWS = ((276, 283, 282, 295, 285), (46, 53, 52, 65, 55))  # landmarks along the lower edge of either brow
_GLEAM_SHARE = 0.45  # a reflection on the cornea goes along with less than half of the iris' way


class EyeWindow:
    """One eye: side 0 is the subject's left, 1 the right."""

    margin = 0.08

    def __init__(
        self,
        photo: NDArray[np.uint8],
        head: HeadShape,
        side: int,
        skin: Skin,
        at: Moment,
        directions: Float,
        drawing: Drawing,
    ) -> None:
        """drawing: of the photo's state, around the eye. directions: see eyes.eyeball_directions."""
        top = head.topology
        self.anchors = eye_anchors(head, side)
        self.eye: Eye = take_apart(photo, drawing, directions)
        self._at = at
        self._side = side
        self._directions = directions
        self._light = skin.light
        self._lit = skin.light.shade(at.normals[self.anchors])
        self._faces = top.faces[np.isin(top.faces, self.anchors).any(axis=1)]
        self._ball = head.eyeballs[side].numpy()
        self._front = self._ball[np.argmax(directions[self._ball] @ self.eye.axis)]
        self._lids = find_lids(head, side, at)
        own = top.region_vertices(*region_ids("eyelids"))
        self._edges = own[(head.neutral.numpy()[own, 0] > 0) == (side == 0)]
        self._lid_skin = _lid_skin(head, side, self._lids.upper)
        self._rim = np.exp(-((distance_to(head, self._edges) / _RIM_M) ** 2))

        self._box = drawing.box
        picture = photo[drawing.box.slices].astype(np.float32)
        liftable = np.maximum(drawing.carry(self._lid_skin[:, None])[..., 0], drawing.coverage(*EYE_IDS))
        lid = np.median(nearest_pixels(picture, self._around(at)), axis=0)
        self._lashes, self._bare = lift_lashes(
            picture, drawing.coverage(*EYE_IDS), lid, liftable, self._lids.frame(at), drawing.box
        )
        self._fill = self._lid_colours(picture + self._bare, head, skin)

    def compose(self, patch: Float, skin: Skin, drawing: Drawing, back: Float, grid: Float, now: Moment) -> Float:
        """Lids, eyeball and lashes over a patch [h, w, 3] of the warped photo; the patch itself if nothing moved.

        back: [h, w, 2] px to the photo. grid: [h, w, 2] see window.pixel_grid.
        """
        moved = 1.0 - self._stillness(now)
        if moved == 0.0:
            return patch
        closing = self._lids.closing(now.shape)
        unsure = np.maximum(stretch(self._faces, self._at.px, now.px), closing * self._rim) * self._lid_skin
        fill = self._fill.copy()
        fill[self.anchors] *= np.clip(self._light.shade(now.normals[self.anchors]) / self._lit, *_RELIT)[:, None]
        own = drawing.carry(np.column_stack([self._directions, np.maximum(unsure, 1.0 - skin.visibility), fill]))
        cover = drawing.coverage(*EYE_IDS)[..., None]
        bare = remap_mask(self._bare, grid + back - self._box.corner)
        patch = np.asarray(patch + moved * (1.0 - cover) * bare, np.float32)
        hidden = own[..., 3] * drawing.mask(*_LID_IDS)
        patch += moved * hidden[..., None] * (own[..., 4:] - patch)
        if cover.any():
            colour = self.eye.paint(drawing, own[..., :3], back, self._gleam_shift(now), grid)
            patch += cover * moved * (colour - patch)
        frame = self._lids.frame(now)
        places = frame.of_pixels(drawing.box)
        patch *= 1.0 - moved * self._lids.shade(places, closing)[..., None]
        lashes = moved * self._lashes.over(places, frame.width_px, closing)
        return np.asarray(patch + lashes[..., None] * (self._lashes.colour - patch), np.float32)

    def _lid_colours(self, bare: Float, head: HeadShape, skin: Skin) -> Float:
        """[V, 3] of the lids, those parts that the photo does not show from those around. bare: [h, w, 3]."""
        local = self._at.px.copy()
        local[:, :2] -= self._box.corner
        width = self._lids.frame(self._at).width_px
        colours = nearest_pixels(blur(bare, 0.03 * width), local)
        near = distance_to(head, self._edges)
        inside = ((local[:, :2] > 0) & (local[:, :2] < (self._box.shape[1], self._box.shape[0]))).all(axis=1)
        trust = skin.visibility**2 * inside * (distance_to(head, self._lids.rim) > _EDGE_M)
        out = spread(colours, trust, self._faces)
        return np.where((near < _NEAR_M)[:, None], out, skin.fill).astype(np.float32)

    def _around(self, at: Moment) -> Float:
        """[N, 2] px of the window, below the lower lid and beside the nose: bare skin in the same light."""
        frame = self._lids.frame(at)
        along = np.linspace(0.1, 0.9, 9, dtype=np.float32)
        lower = frame.pixels(along, np.full(9, -0.75, np.float32))
        return lower - self._box.corner

    def _stillness(self, now: Moment) -> float:
        lids = np.abs(now.shape[self._edges] - self._at.shape[self._edges]).max()
        gaze, before = (moment.state.gaze[0, self._side].numpy() for moment in (now, self._at))
        turned = np.abs(gaze - before).max()
        return smoothstep_of(*_STILL_M, lids) * smoothstep_of(*_STILL_RAD, turned)

    def _gleam_shift(self, now: Moment) -> Float:
        ball = (now.px[self._ball] - self._at.px[self._ball])[:, :2].mean(axis=0)
        iris = (now.px[self._front] - self._at.px[self._front])[:2]
        return (ball + _GLEAM_SHARE * (iris - ball)).astype(np.float32)


def _lid_skin(head: HeadShape, side: int, edge: Int) -> Float:
    """[V] 1 on the lids, 0 on the brow and to the sides of the eye, where hair may be. edge: from the nose outwards."""
    scale = float(np.ptp(head.eyes.numpy()[:, 0])) / 0.064
    brow = head.topology.landmark_vertices[list(_BROWS[side])].ravel()
    x = np.abs(head.neutral.numpy()[:, 0]) / scale
    inner, outer = float(x[edge[0]]), float(x[edge[-1]])
    beside = smoothstep(inner - 0.006, inner - 0.001, x) * smoothstep(outer + 0.006, outer + 0.001, x)
    return beside * smoothstep(*_BELOW_BROW_M, distance_to(head, brow))


def eye_anchors(head: HeadShape, side: int) -> Int:
    """Vertices of the skin that an eye's window shows."""
    rows = head.topology.region_vertices(*region_ids("skin", "eyelids"))
    scale = float(np.ptp(head.eyes.numpy()[:, 0])) / 0.064
    return rows[np.linalg.norm(head.neutral.numpy()[rows] - head.eyes.numpy()[side], axis=1) < _REACH_M * scale]
