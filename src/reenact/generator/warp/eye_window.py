# SPDX-License-Identifier: Apache-2.0
"""The window around one eye: lid skin, lashes and eyeball at full resolution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reenact.head.model import Float, Int
from reenact.head.mouth import head_size
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape
from reenact.head.spread import spread

from .eyeballs import EYE_IDS, Eyeball
from .eyelashes import Eyelashes
from .eyelids import Eyelids
from .filters import blur, nearest_pixels, remap_mask, smoothstep, smoothstep_of
from .posed_head import PosedHead
from .rasterised_mesh import RasterisedMesh
from .skin import Skin, front_areas, surface_distance, texture_stretch

# Chosen. In brackets: mean change of the eyes, in grey levels, at half and at double, in 10 frames of the demo photo.
# Metres are those of an adult's head.
_REACH_M = 0.026  # of the window, around the eyeball's centre (1.97; 1.6)
_STILL_M = (0.0012, 0.0003)  # motion of the lids over which the eye fades to the composed one (0.18; 0.02)
_STILL_RAD = (0.06, 0.015)  # rotation of the gaze over which it does (0; 0.01)
_RIM_M = 0.0020  # width of the lids' edges, whose texture is not used as an eye shuts (0.01; 0.03)
_EDGE_M = 0.0018  # distance to a lid's edge within which it shows liner or its wet rim (0.02; 0.08)
_BROWS = ((276, 283, 282, 295, 285), (46, 53, 52, 65, 55))  # landmarks along the lower edge of either brow


class EyeWindow:
    """One eye of the reference, composited into frames.

    Args:
        image: [P, P, 3] the reference image.
        head: the subject's.
        side: 0 for the subject's left eye, 1 for the right.
        skin: of the reference.
        reference: the head as the reference shows it.
        directions: [V, 3] see `eyeball_directions`.
        raster: the reference's head around the eye.
    """

    margin = 0.08
    """Of the window, in widths of the skin that it shows."""

    def __init__(
        self,
        image: NDArray[np.uint8],
        head: HeadShape,
        side: int,
        skin: Skin,
        reference: PosedHead,
        directions: Float,
        raster: RasterisedMesh,
    ) -> None:
        topology = head.topology
        faces = topology.faces.numpy()
        self.anchors = eye_anchors(head, side)
        self.eyeball = Eyeball.from_reference(image, raster, directions)
        self._reference = reference
        self._side = side
        self._directions = directions
        self._light = skin.light
        self._shade = skin.light.shade(reference.normals[self.anchors])
        self._faces = faces[np.isin(faces, self.anchors).any(axis=1)]
        self._reference_areas = front_areas(self._faces, reference.px)
        self._ball = head.eyeballs[side].numpy()
        self._front = self._ball[np.argmax(directions[self._ball] @ self.eyeball.axis)]
        self._lids = Eyelids.from_reference(head, side, reference)
        lid_rows = topology.region_vertices(*region_ids("eyelids")).numpy()
        self._lid_rows = lid_rows[(head.neutral.numpy()[lid_rows, 0] > 0) == (side == 0)]
        self._lid_skin = _lid_skin(head, side, self._lids.upper)
        self._rim = np.exp(-((surface_distance(head, self._lid_rows) / _RIM_M) ** 2))

        self._box = raster.box
        patch = image[raster.box.slices].astype(np.float32)
        removable = np.maximum(raster.interpolate(self._lid_skin[:, None])[..., 0], raster.coverage(*EYE_IDS))
        frame = self._lids.frame(reference)
        # Below the lower lid and beside the nose there is bare skin in the same light.
        below = frame.to_px(np.linspace(0.1, 0.9, 9, dtype=np.float32), np.full(9, -0.75, np.float32))
        below_colour = np.median(nearest_pixels(patch, below - self._box.corner), axis=0)
        self._lashes, self._residual = Eyelashes.from_reference(
            patch, raster.coverage(*EYE_IDS), below_colour, removable, frame, raster.box
        )
        self._fill = self._lid_colours(patch + self._residual, head, skin)

    def compose(
        self, patch: Float, skin: Skin, raster: RasterisedMesh, displacement: Float, grid: Float, driven: PosedHead
    ) -> Float:
        """Compose lids, eyeball and lashes over a patch of the warped image.

        Args:
            patch: [h, w, 3] 0 to 255.
            skin: of the reference.
            raster: the driven head in the patch.
            displacement: [h, w, 2] px to where the reference shows the same point.
            grid: [h, w, 2] of the patch; see `pixel_grid`.
            driven: the head of the frame.

        Returns:
            [h, w, 3]; the patch itself if nothing has moved.
        """
        blend = 1.0 - self._stillness(driven)
        if blend == 0.0:
            return patch
        closure = self._lids.closure(driven.vertices)
        stretch = texture_stretch(self._reference_areas, front_areas(self._faces, driven.px))
        unusable = np.maximum(stretch, closure * self._rim) * self._lid_skin
        fill = self._fill.copy()
        shade = self._light.shade(driven.normals[self.anchors])
        fill[self.anchors] *= np.clip(shade / self._shade, 0.8, 1.2)[:, None]
        values = np.column_stack([self._directions, np.maximum(unusable, 1.0 - skin.visibility), fill])
        values = raster.interpolate(values)
        directions, hidden, fill = values[..., :3], values[..., 3], values[..., 4:]
        cover = raster.coverage(*EYE_IDS)[..., None]
        residual = remap_mask(self._residual, grid + displacement - self._box.corner)
        patch = np.asarray(patch + blend * (1.0 - cover) * residual, np.float32)
        hidden = hidden * raster.mask(*region_ids("skin", "eyelids", "eye_socket"))
        patch += blend * hidden[..., None] * (fill - patch)
        if cover.any():
            colour = self.eyeball.render(raster, directions, displacement, self._highlight_shift(driven), grid)
            patch += cover * blend * (colour - patch)
        frame = self._lids.frame(driven)
        coordinates = frame.coordinates(raster.box)
        patch *= 1.0 - blend * self._lids.shade(coordinates, closure)[..., None]
        lashes = blend * self._lashes.render(coordinates, frame.width_px, closure)
        return np.asarray(patch + lashes[..., None] * (self._lashes.colour - patch), np.float32)

    def _lid_colours(self, bare: Float, head: HeadShape, skin: Skin) -> Float:
        """Return colours of the lids [V, 3]; what the reference hides of them is spread from around it.

        Args:
            bare: [h, w, 3] the window in the reference without lashes.
            head: the subject's.
            skin: of the reference.
        """
        local = self._reference.px.copy()
        local[:, :2] -= self._box.corner
        width = self._lids.frame(self._reference).width_px
        colours = nearest_pixels(blur(bare, 0.03 * width), local)
        inside = ((local[:, :2] > 0) & (local[:, :2] < (self._box.shape[1], self._box.shape[0]))).all(axis=1)
        trust = skin.visibility**2 * inside * (surface_distance(head, self._lids.edges) > _EDGE_M)
        out = spread(colours, trust, self._faces)
        near = surface_distance(head, self._lid_rows) < 0.016
        return np.where(near[:, None], out, skin.fill).astype(np.float32)

    def _stillness(self, driven: PosedHead) -> float:
        """Return 1 where lids and gaze are as in the reference, 0 where they have moved."""
        lids = np.abs(driven.vertices[self._lid_rows] - self._reference.vertices[self._lid_rows]).max()
        gaze, before = (posed.motion.gaze[0, self._side].numpy() for posed in (driven, self._reference))
        return smoothstep_of(*_STILL_M, lids) * smoothstep_of(*_STILL_RAD, np.abs(gaze - before).max())

    def _highlight_shift(self, driven: PosedHead) -> Float:
        """Return how far the highlight has moved since the reference [2] px: less than half as far as the iris."""
        ball = (driven.px[self._ball] - self._reference.px[self._ball])[:, :2].mean(axis=0)
        iris = (driven.px[self._front] - self._reference.px[self._front])[:2]
        return (ball + 0.45 * (iris - ball)).astype(np.float32)


def _lid_skin(head: HeadShape, side: int, edge: Int) -> Float:
    """Return 1 on the lids, 0 on the brow and to the sides of the eye, where hair may be [V].

    Args:
        head: the subject's.
        side: of the eye.
        edge: vertices of the upper lid's edge, from the nose outwards.
    """
    brow = head.topology.landmark_vertices[list(_BROWS[side])].flatten().numpy()
    x = np.abs(head.neutral.numpy()[:, 0]) / float(head_size(head.eyes))
    inner, outer = float(x[edge[0]]), float(x[edge[-1]])
    beside = smoothstep(inner - 0.006, inner - 0.001, x) * smoothstep(outer + 0.006, outer + 0.001, x)
    return beside * smoothstep(0.004, 0.008, surface_distance(head, brow))


def eye_anchors(head: HeadShape, side: int) -> Int:
    """Return the vertices of the skin that an eye's window shows."""
    rows = head.topology.region_vertices(*region_ids("skin", "eyelids")).numpy()
    distance = np.linalg.norm(head.neutral.numpy()[rows] - head.eyes.numpy()[side], axis=1)
    return rows[distance < _REACH_M * float(head_size(head.eyes))]
