# SPDX-License-Identifier: Apache-2.0
"""The window around the mouth: lips and what is behind them, at full resolution."""

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
from .inner_lips import InnerLips, without_teeth
from .lip_subdivision import subdivide_lips
from .mouth_interior import INTERIOR_IDS, MouthInterior
from .posed_head import PosedHead
from .rasterised_mesh import Box, RasterisedMesh
from .skin import Skin, front_areas, surface_distance, texture_stretch

_LIPS = region_ids("lips")
# Chosen. In brackets: mean change of the mouth, in grey levels, at half and at double, in 10 frames of the demo photo.
_REACH_M = 0.055  # distance to the lips of the skin that is rasterised, for speed (0; 0)
_STILL_M = (0.0025, 0.0006)  # motion of the lips over which the mouth fades to the composed one (0.12; 0.02)
_RIM_M = 0.0015  # width of the lips' inner edge, whose texture is not used where lips part (0.04; 0.09)
_BORDER_M = 0.0020  # width of the lips' outer border, whose texture is always used: it is soft (0; 0)
_WIDE_M = (0.002, 0.006)  # gap between the lips over which the contour of the opening is rounded (0; 0.01)
_TOOTH_M = 0.004  # distance to the lips' edge within which lips may be teeth (0.02; 0.06)


class MouthWindow:
    """The mouth of the reference, composited into frames.

    Args:
        image: [P, P, 3] the reference image.
        head: the subject's.
        skin: of the reference.
        sclera: [3] unshaded colour of the white of the eyes, 0 to 255.
        reference: the head as the reference shows it.
        box: around the mouth in the reference.
    """

    margin = 0.25
    """Of the window, in widths of the lips."""

    def __init__(
        self, image: NDArray[np.uint8], head: HeadShape, skin: Skin, sclera: Float, reference: PosedHead, box: Box
    ) -> None:
        topology = head.topology
        self.anchors = topology.region_vertices(*_LIPS).numpy()
        self._image = image
        self._head = head
        self._moving = np.union1d(self.anchors, topology.region_vertices(*region_ids("tongue")).numpy())
        self._reference = reference
        pairs, faces = topology.lip_contacts.numpy(), topology.faces.numpy()
        self._pairs = pairs[np.argsort(head.neutral.numpy()[pairs[:, 0], 0])]
        self._contacts = pairs.ravel()
        self._faces = faces[np.isin(faces, self.anchors).any(axis=1)]
        self._reference_areas = front_areas(self._faces, reference.px)
        border = np.intersect1d(self.anchors, topology.region_vertices(*region_ids("skin")).numpy())
        self._inside_border = smoothstep(0.0, _BORDER_M, surface_distance(head, border))
        near = surface_distance(head, self.anchors) < _REACH_M
        near[topology.region_vertices(*region_ids(*MOUTH_INTERIOR)).numpy()] = True
        self._mesh = subdivide_lips(head, near)
        self._tooth_places = tooth_places(head)
        self._tooth_rows, self._tooth_normals = tooth_normals(head)
        # Half a pixel off, the inner edge of the lips would move teeth along, or the dark line of shut lips.
        self._rim = np.exp(-((surface_distance(head, self._contacts) / _RIM_M) ** 2))
        gap_m = self._gap(reference)
        self._parted = smoothstep_of(0.0005, 0.002, gap_m)
        raster = RasterisedMesh.rasterise(self._mesh, reference.render_px, box)
        lips = np.average(skin.fill[self.anchors], axis=0, weights=skin.visibility[self.anchors] + 1e-3)
        self._interior = MouthInterior.from_reference(
            image,
            raster,
            raster.interpolate(self._surface(reference)),
            topology,
            reference,
            skin.light,
            sclera,
            lips,
            reference.px_per_m(self.anchors),
            gap_m,
        )
        self._inner_lips = InnerLips(head, skin, self._interior.lip_lining)
        if self._parted > 0.0:
            edge = raster.interpolate(surface_distance(head, self._contacts)[:, None])[..., 0] < _TOOTH_M
            self._image = without_teeth(image, raster, edge, self._inner_lips.colours(reference), lips)

    def compose(
        self, patch: Float, skin: Skin, raster: RasterisedMesh, displacement: Float, grid: Float, driven: PosedHead
    ) -> Float:
        """Compose lips and the inside of the mouth over a patch; see EyeWindow.compose. Their mesh is a finer one."""
        del displacement
        blend = 1.0 - self._stillness(driven)
        if blend == 0.0:
            return patch
        box = Box.around(driven.px[self._moving], 0.06, len(self._image))
        box = None if box is None else box.intersection(raster.box)
        if box is None:
            return patch
        inner = box.slices_in(raster.box)
        fine = RasterisedMesh.rasterise(self._mesh, driven.render_px, box)
        mouth = self._compose(patch[inner], fine, grid[inner], skin, driven)
        out = patch.copy()
        out[inner] += blend * (mouth - patch[inner])
        return out

    def _compose(self, patch: Float, raster: RasterisedMesh, grid: Float, skin: Skin, driven: PosedHead) -> Float:
        """Compose the mouth in a box just around it."""
        gap_m = self._gap(driven)
        parted = max(self._parted, smoothstep_of(0.0005, 0.003, gap_m))
        stretch = texture_stretch(self._reference_areas, front_areas(self._faces, driven.px))
        unusable = np.maximum(self._inside_border * stretch, parted * self._rim)
        displacement = (self._reference.px - driven.px)[:, :2]
        hidden = np.maximum(unusable, 1.0 - skin.visibility)
        values = np.column_stack([self._surface(driven), displacement, self._inner_lips.colours(driven), hidden])
        values = raster.interpolate(values)
        surface, displacement, fill, hidden = values[..., :6], values[..., 6:8], values[..., 8:11], values[..., 11:]
        lips = remap(self._image, grid + displacement)
        lips = lips + np.clip(hidden, 0.0, 1.0) * (fill - lips)
        # The skin around the lips was warped by larger triangles: 0.8 px hide the seam.
        out = patch + blur(raster.mask(*_LIPS, *INTERIOR_IDS), 0.8)[..., None] * (lips - patch)
        out = out.astype(np.float32, copy=False)
        px_per_m = driven.px_per_m(self.anchors)
        hole = self._hole(raster, driven, gap_m)
        cover = _opening(raster, hole, gap_m, px_per_m)
        if cover.any():
            out = extrapolate(out, ~(raster.mask(*INTERIOR_IDS) | hole), 3)
            colour = self._interior.render(raster, surface, hole, self._reference.px, driven.px, px_per_m, grid, gap_m)
            out += cover * (colour - out)
        line = self._lip_line(raster.box, driven, gap_m, px_per_m)
        return np.asarray(out * (1.0 - line)[..., None], np.float32)

    def _hole(self, raster: RasterisedMesh, driven: PosedHead, gap_m: float) -> NDArray[np.bool_]:
        """Return where the mesh shows something else than lips and inside between the lines of the lips [h, w].

        The chin may be pulled behind them.
        """
        if gap_m < _WIDE_M[1]:
            return np.zeros(raster.box.shape, bool)
        lines = self._head.inner_lips.lines(torch.from_numpy(driven.px[None, :, :2]))[0]
        upper, lower = lines.numpy() - raster.box.corner
        outline = np.concatenate([upper, lower[::-1]])
        between = np.zeros(raster.box.shape, np.uint8)
        cv2.fillPoly(between, [np.rint(outline - 0.5).astype(np.int32)], (1,))
        return (between > 0) & ~raster.mask(*_LIPS, *INTERIOR_IDS)

    def _surface(self, posed: PosedHead) -> Float:
        """Return normals, depth behind the lips in metres, and places on the teeth [V, 6]; see MouthInterior."""
        normals = posed.normals.copy()
        normals[self._tooth_rows] = self._tooth_normals @ posed.motion.rotation[0].numpy().T
        depth = posed.vertices[self._contacts, 2].mean() - posed.vertices[:, 2]
        return np.column_stack([normals, depth, self._tooth_places])

    def _lip_line(self, box: Box, driven: PosedHead, gap_m: float, px_per_m: float) -> Float:
        """Return the darkness of the line between lips that are shut now but not in the reference [h, w], 0 to 1."""
        shut = self._parted * smoothstep_of(0.0012, 0.0004, gap_m)
        if shut == 0.0:
            return np.zeros(box.shape, np.float32)
        distance_px, position = _nearest_on_line(driven.px[self._pairs, :2].mean(axis=1), box)
        width = max(0.0006 * px_per_m, 0.7)
        ends = smoothstep(0.0, 0.1, position) * smoothstep(1.0, 0.9, position)
        return (0.5 * shut * ends * np.exp(-((distance_px / width) ** 2))).astype(np.float32)

    def _gap(self, posed: PosedHead) -> float:
        """Return the distance of the lips where they are farthest apart, metres."""
        upper, lower = posed.vertices[self._pairs[:, 0]], posed.vertices[self._pairs[:, 1]]
        return float(np.linalg.norm(upper - lower, axis=1).max())

    def _stillness(self, driven: PosedHead) -> float:
        """Return 1 where the lips are as in the reference, 0 where they have moved."""
        moved = np.abs(driven.vertices[self._contacts] - self._reference.vertices[self._contacts]).max()
        return smoothstep_of(*_STILL_M, moved)


def _opening(raster: RasterisedMesh, hole: NDArray[np.bool_], gap_m: float, px_per_m: float) -> Float:
    """Return the share of each pixel that shows the inside [h, w, 1]; flesh has no corners, so a wide opening has none.

    Args:
        raster: the driven mouth.
        hole: [h, w] see MouthWindow._hole.
        gap_m: between the lips, metres.
        px_per_m: at the lips.
    """
    cover = np.maximum(raster.coverage(*INTERIOR_IDS), hole.astype(np.float32))
    rounded = smoothstep(0.2, 0.8, blur(cover, max(0.0007 * px_per_m, 0.5)))
    return (cover + smoothstep_of(*_WIDE_M, gap_m) * (rounded - cover))[..., None]


def _nearest_on_line(line: Float, box: Box) -> tuple[Float, Float]:
    """Find the nearest point of a line [N, 2] px for every pixel of a box.

    Returns:
        Distance [h, w] px, and position [h, w] on the line: 0 at its start, 1 at its end.
    """
    corners = line - box.corner
    x, y = np.meshgrid(np.arange(box.shape[1]) + 0.5, np.arange(box.shape[0]) + 0.5)
    start, along = corners[:-1], np.diff(corners, axis=0)
    right, down = x[..., None] - start[:, 0], y[..., None] - start[:, 1]
    share = (right * along[:, 0] + down * along[:, 1]) / np.maximum((along**2).sum(axis=1), 1e-6)
    share = np.clip(share, 0.0, 1.0)
    squared = (right - share * along[:, 0]) ** 2 + (down - share * along[:, 1]) ** 2
    nearest = squared.argmin(axis=-1)[..., None]
    distance = np.sqrt(np.take_along_axis(squared, nearest, -1)[..., 0])
    position = (nearest[..., 0] + np.take_along_axis(share, nearest, -1)[..., 0]) / len(along)
    return distance.astype(np.float32), position.astype(np.float32)
