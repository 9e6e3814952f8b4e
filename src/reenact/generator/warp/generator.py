# SPDX-License-Identifier: Apache-2.0
"""The generator that needs no learned weights: the photo, carried along by the head.

The photo is a sheet in depth (sheet.py) that moves with the head, the neck and the torso; on the face the mesh
itself (skin.py) says where each pixel comes from. Around eyes and mouth windows at full resolution put the lids and
lips exactly where the mesh has them, and behind them eyeballs and the inside of the mouth.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.head.model import Float
from reenact.head.motion import Motion
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape
from reenact.head.subject import Reference
from reenact.perception.person_mask import person_mask
from reenact.rendering.head_renderer import MAPS_PX, MapStream, visible_head
from reenact.rendering.threads import one_torch_thread

from .eye_window import EyeWindow, eye_anchors
from .eyes import eyeball_directions
from .filters import feather, pixel_grid, remap, resize
from .finer import Surface
from .moment import Moment, moment
from .mouth_window import MouthWindow
from .sheet import lay
from .skin import photographed_skin
from .window import Box, Drawing, box_around, draw

_SHEET_PX = 192
_FACE_MARGIN = 0.02


class WarpGenerator:
    """Frames of one reference. Construction takes about a second; `render` is independent of earlier frames.

    head: of the subject. reference: a square picture of them, P x P px. Raises ValueError if the picture is no square,
    or does not show the head.
    """

    def __init__(self, head: HeadShape, reference: Reference) -> None:
        camera = reference.camera
        if camera.height != camera.width:
            raise ValueError(f"the reference has {camera.width} x {camera.height} px; want a square")
        self._photo = reference.image.numpy()
        self._head = head
        self._state = reference.motion
        self._camera = camera
        self._grid = pixel_grid(camera.width)
        self._seen = visible_head(head, self._state, camera.scaled(MAPS_PX / camera.width))
        self._surface = Surface(self._seen.faces, self._seen.regions)
        self._at = moment(head, self._state, self._state, camera, self._seen.faces)
        coarse = visible_head(head, self._state, camera.scaled(_SHEET_PX / camera.width))
        person = resize(person_mask(self._photo), _SHEET_PX, _SHEET_PX)
        self._sheet = lay(head, coarse, person)
        self._still = self._sheet.move(head, self._state, np.zeros_like(self._at.shape))
        self._skin = photographed_skin(self._photo, person, head, self._seen, self._at)
        self._windows = self._open_windows()

    def render(self, state: Motion) -> NDArray[np.uint8]:
        """One frame [P, P, 3] of a motion of one; with the photo's own state the photo."""
        with one_torch_thread():
            return self._render(state)

    def _render(self, state: Motion) -> NDArray[np.uint8]:
        now = moment(self._head, state, self._state, self._camera, self._seen.faces)
        size = self._camera.width
        field = self._sheet.draw(self._head, state, now.shape - self._at.shape, self._still)
        field = resize(field, size, size) * np.float32(size / _SHEET_PX)
        field += self._grid
        frame = remap(self._photo, field)

        drawing = self._draw_face(now)
        if drawing is None:
            return frame
        back = drawing.carry(np.column_stack([(self._at.px - now.px)[:, :2], self._skin.trust]))
        face = frame[drawing.box.slices].astype(np.float32)
        self._skin.overlay(face, self._photo, drawing, back, self._grid[drawing.box.slices])
        for window in self._windows:
            box = self._box(now.px[window.anchors], window.margin, drawing)
            if box is not None:
                inner = box.slices_in(drawing.box)
                patch, cut = face[inner], drawing.cut(box)
                whole = window.compose(patch, self._skin, cut, back[inner][..., :2], self._grid[box.slices], now)
                patch += feather(box.shape, max(box.shape) // 8)[..., None] * (whole - patch)
        frame[drawing.box.slices] = np.clip(np.rint(face), 0, 255).astype(np.uint8)
        return frame

    def frames(self, motion: Motion, maps: MapStream | None = None) -> Iterator[Tensor]:
        """[P, P, 3] uint8 of each frame of a motion, one by one. maps: not looked at."""
        return (torch.from_numpy(self.render(state)) for state in motion)

    def _draw_face(self, now: Moment) -> Drawing | None:
        box = box_around(now.px[self._skin.anchors], _FACE_MARGIN, self._camera.width)
        return None if box is None else draw(self._surface, now.drawn, box)

    def _box(self, px: Float, margin: float, drawing: Drawing) -> Box | None:
        box = box_around(px, margin, self._camera.width)
        return None if box is None else box.within(drawing.box)

    def _open_windows(self) -> list[EyeWindow | MouthWindow]:
        """Around what of the eyes and the mouth is inside of the photo."""
        drawing = self._draw_face(self._at)
        if drawing is None:
            return []
        head, at = self._head, self._at
        directions = eyeball_directions(head)
        eyes = []
        for side in (0, 1):
            box = self._box(at.px[eye_anchors(head, side)], EyeWindow.margin, drawing)
            if box is not None:
                eyes.append(EyeWindow(self._photo, head, side, self._skin, at, directions, drawing.cut(box)))
        whites = [window.eye.white for window in eyes if window.eye.is_open]
        white = np.mean(whites, axis=0) if whites else self._skin.light.skin
        lips = head.topology.region_vertices(*region_ids("lips"))
        box = self._box(at.px[lips], MouthWindow.margin, drawing)
        mouths = [] if box is None else [MouthWindow(self._photo, head, self._skin, white, at, box)]
        return [*eyes, *mouths]
