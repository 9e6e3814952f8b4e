# SPDX-License-Identifier: Apache-2.0
"""The generator without learned weights: the reference image, warped by the head's motion.

A grid with depth (background_warp.py) moves with head, neck and torso; on the face the mesh itself (skin.py) says where
each pixel comes from. Windows at full resolution around eyes and mouth put lids and lips exactly where the mesh has
them, with eyeballs and the inside of the mouth behind them.
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

from .background_warp import BackgroundWarp
from .eye_window import EyeWindow, eye_anchors
from .eyeballs import eyeball_directions
from .filters import feather, pixel_grid, remap, resize
from .mouth_window import MouthWindow
from .posed_head import PosedHead
from .rasterised_mesh import Box, RasterisedMesh, RenderMesh
from .skin import Skin

_FIELD_PX = 192  # chosen; side of the background's field (half or double changes frames by 0.29 or 0.13 grey levels)


class WarpGenerator:
    """Frames of one reference. Construction takes about a second; each frame is independent of the others.

    Args:
        head: the subject's.
        reference: a square image of them, P x P px.

    Raises:
        ValueError: the image is no square, or does not show the head.
    """

    def __init__(self, head: HeadShape, reference: Reference) -> None:
        camera = reference.camera
        if camera.height != camera.width:
            raise ValueError(f"the reference has {camera.width} x {camera.height} px; want a square")
        self._image = reference.image.numpy()
        self._head = head
        self._motion = reference.motion
        self._camera = camera
        self._grid = pixel_grid(camera.width)
        visible = visible_head(head, self._motion, camera.scaled(MAPS_PX / camera.width))
        self._mesh = RenderMesh(visible.faces.int(), visible.regions.numpy())
        self._reference = self._pose(self._motion)
        coarse = visible_head(head, self._motion, camera.scaled(_FIELD_PX / camera.width))
        person = resize(person_mask(self._image), _FIELD_PX, _FIELD_PX)
        self._background = BackgroundWarp.from_reference(head, coarse, person)
        still = np.zeros_like(self._reference.vertices)
        self._reference_nodes = self._background.nodes(head, self._motion, still)
        self._skin = Skin.from_reference(self._image, person, head, visible, self._reference)
        self._windows = self._make_windows()

    def render(self, motion: Motion) -> NDArray[np.uint8]:
        """Render a motion of one frame [P, P, 3]; the reference's own motion gives the reference image."""
        with one_torch_thread():
            return self._render(motion)

    def frames(self, motion: Motion, maps: MapStream | None = None) -> Iterator[Tensor]:
        """Stream the frames [P, P, 3] uint8 of a motion. maps: not used."""
        return (torch.from_numpy(self.render(frame_motion)) for frame_motion in motion)

    def _render(self, motion: Motion) -> NDArray[np.uint8]:
        reference, driven = self._reference, self._pose(motion)
        size = self._camera.width
        displacement = driven.vertices - reference.vertices
        field = self._background.field(self._head, motion, displacement, self._reference_nodes)
        field = resize(field, size, size) * np.float32(size / _FIELD_PX)
        field += self._grid
        frame = remap(self._image, field)

        raster = self._rasterise_face(driven)
        if raster is None:
            return frame
        warp = raster.interpolate(np.column_stack([(reference.px - driven.px)[:, :2], self._skin.warp_weight]))
        face = frame[raster.box.slices].astype(np.float32)
        self._skin.composite(face, self._image, raster, warp, self._grid[raster.box.slices])
        for window in self._windows:
            box = self._box(driven.px[window.anchors], window.margin, raster)
            if box is not None:
                inner = box.slices_in(raster.box)
                patch, grid = face[inner], self._grid[box.slices]
                whole = window.compose(patch, self._skin, raster.crop(box), warp[inner][..., :2], grid, driven)
                patch += feather(box.shape, max(box.shape) // 8)[..., None] * (whole - patch)
        frame[raster.box.slices] = np.clip(np.rint(face), 0, 255).astype(np.uint8)
        return frame

    def _pose(self, motion: Motion) -> PosedHead:
        return PosedHead.pose(self._head, motion, self._motion, self._camera, self._mesh.faces)

    def _rasterise_face(self, driven: PosedHead) -> RasterisedMesh | None:
        """Rasterise the head in a box around the face; None if that is outside of the image."""
        box = Box.around(driven.px[self._skin.anchors], 0.02, self._camera.width)
        return None if box is None else RasterisedMesh.rasterise(self._mesh, driven.render_px, box)

    def _box(self, px: Float, margin: float, raster: RasterisedMesh) -> Box | None:
        box = Box.around(px, margin, self._camera.width)
        return None if box is None else box.intersection(raster.box)

    def _make_windows(self) -> list[EyeWindow | MouthWindow]:
        """Make windows around the eyes and the mouth, as far as they are inside of the reference image."""
        raster = self._rasterise_face(self._reference)
        if raster is None:
            return []
        head, reference = self._head, self._reference
        directions = eyeball_directions(head)
        eyes = []
        for side in (0, 1):
            box = self._box(reference.px[eye_anchors(head, side)], EyeWindow.margin, raster)
            if box is not None:
                eyes.append(EyeWindow(self._image, head, side, self._skin, reference, directions, raster.crop(box)))
        scleras = [window.eyeball.sclera for window in eyes if window.eyeball.is_open]
        sclera = np.mean(scleras, axis=0) if scleras else self._skin.light.skin
        lips = head.topology.region_vertices(*region_ids("lips")).numpy()
        box = self._box(reference.px[lips], MouthWindow.margin, raster)
        mouths = [] if box is None else [MouthWindow(self._image, head, self._skin, sclera, reference, box)]
        return [*eyes, *mouths]
