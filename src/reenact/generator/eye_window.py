# SPDX-License-Identifier: Apache-2.0
"""The window around one eye: lid skin, lashes, eyeball."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reenact.heads.model import Float, Int
from reenact.heads.regions import region_ids
from reenact.heads.rig import Rig

from .eyes import EYE_IDS, Eye, take_apart
from .filters import ramp, smoothstep
from .lids import find_lids, stretch
from .moment import Moment
from .skin import Skin, distance_to
from .window import Drawing

_REACH_M = 0.026  # of the window, around the eyeball's centre
_STILL_M = (0.0012, 0.0003)  # motion of the lids over which the photo's own eye gives way to the one put together
_STILL_RAD = (0.06, 0.015)  # and of the gaze
_RIM_M = 0.002
_UPPER_M, _LOWER_M = (0.0110, 0.0070), (0.0050, 0.0030)  # reach of the lashes over the lids in a photo
_LONGEST_M = (0.017, 0.013)  # and, where it is dark, short of the brows
_BELOW_BROW_M = (0.004, 0.008)
_BROWS = ((276, 283, 282, 295, 285), (46, 53, 52, 65, 55))  # landmarks along the lower edge of either brow
_MEETING = (0.35, 0.85)  # share of the way to shut over which the lids' texture, lashes and all, gives way
_GLEAM_SHARE = 0.45  # a reflection on the cornea goes along with less than half of the iris' way


class EyeWindow:
    """One eye: side 0 is the subject's left, 1 the right."""

    margin = 0.08

    def __init__(
        self, photo: NDArray[np.uint8], rig: Rig, side: int, skin: Skin, at: Moment, directions: Float, drawing: Drawing
    ) -> None:
        """drawing: of the photo's state, around the eye. directions: see eyes.eyeball_directions."""
        top = rig.topology
        self.anchors = eye_anchors(rig, side)
        self.eye: Eye = take_apart(photo, drawing, directions)
        self._at = at
        self._side = side
        self._directions = directions
        self._faces = top.faces[np.isin(top.faces, self.anchors).any(axis=1)]
        self._ball = rig.eyeballs[side]
        self._front = self._ball[np.argmax(directions[self._ball] @ self.eye.axis)]
        self._lids = find_lids(rig, side, at, photo, at.px_per_m(self.anchors))
        own = top.region_vertices(*region_ids("eyelids"))
        self._edges = own[(rig.neutral[own, 0] > 0) == (side == 0)]
        self._rim = np.exp(-((distance_to(rig, self._edges) / _RIM_M) ** 2))
        to_upper, to_lower = (distance_to(rig, rows) for rows in (self._lids.upper, self._lids.lower))
        is_upper = to_upper < to_lower
        near = np.where(is_upper, smoothstep(*_UPPER_M, to_upper), smoothstep(*_LOWER_M, to_lower))
        dark = (1.0 - skin.like_skin) * smoothstep(*_LONGEST_M, to_upper)
        self._lashes = np.maximum.reduce([near, dark, self._rim])
        self._lid_skin = _lid_skin(rig, side, self._lids.upper)

    def compose(self, patch: Float, skin: Skin, drawing: Drawing, back: Float, grid: Float, now: Moment) -> Float:
        """Lids, lashes and eyeball over a patch [h, w, 3] of the warped photo; the patch itself if nothing moved.

        back: [h, w, 2] px to the photo. grid: [h, w, 2] see window.pixel_grid.
        """
        moved = 1.0 - self._stillness(now)
        if moved == 0.0:
            return patch
        meeting = ramp(*_MEETING, self._lids.closing(now.shape))
        unsure = np.maximum(stretch(self._faces, self._at.px, now.px), meeting * self._lashes) * self._lid_skin
        own = drawing.carry(np.column_stack([self._directions, unsure]))
        hidden, fill = skin.hidden(drawing)
        patch = patch + moved * np.maximum(hidden, own[..., 3])[..., None] * (fill - patch)
        cover = drawing.coverage(*EYE_IDS)[..., None]
        if cover.any():
            colour = self.eye.paint(drawing, own[..., :3], back, self._gleam_shift(now), grid)
            patch += cover * moved * (colour - patch)
        line = self._lids.lash_line(drawing.box, now, now.px_per_m(self.anchors))
        return patch + line[..., None] * (self._lids.lashes - patch)

    def _stillness(self, now: Moment) -> float:
        lids = np.abs(now.shape[self._edges] - self._at.shape[self._edges]).max()
        turned = np.abs(now.state.gaze[self._side] - self._at.state.gaze[self._side]).max()
        return ramp(*_STILL_M, lids) * ramp(*_STILL_RAD, turned)

    def _gleam_shift(self, now: Moment) -> Float:
        ball = (now.px[self._ball] - self._at.px[self._ball])[:, :2].mean(axis=0)
        iris = (now.px[self._front] - self._at.px[self._front])[:2]
        return (ball + _GLEAM_SHARE * (iris - ball)).astype(np.float32)


def _lid_skin(rig: Rig, side: int, edge: Int) -> Float:
    """[V] 1 on the lids, 0 on the brow and to the sides of the eye, where hair may be. edge: from the nose outwards."""
    scale = float(np.ptp(rig.joints.eyes[:, 0])) / 0.064
    brow = rig.topology.landmark_vertices[list(_BROWS[side])].ravel()
    x = np.abs(rig.neutral[:, 0]) / scale
    inner, outer = float(x[edge[0]]), float(x[edge[-1]])
    beside = smoothstep(inner - 0.006, inner - 0.001, x) * smoothstep(outer + 0.006, outer + 0.001, x)
    return beside * smoothstep(*_BELOW_BROW_M, distance_to(rig, brow))


def eye_anchors(rig: Rig, side: int) -> Int:
    """Vertices of the skin that an eye's window shows."""
    rows = rig.topology.region_vertices(*region_ids("skin", "eyelids"))
    scale = float(np.ptp(rig.joints.eyes[:, 0])) / 0.064
    return rows[np.linalg.norm(rig.neutral[rows] - rig.joints.eyes[side], axis=1) < _REACH_M * scale]
