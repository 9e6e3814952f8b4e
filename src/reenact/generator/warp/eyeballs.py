# SPDX-License-Identifier: Apache-2.0
"""Eyeballs: the eye in the reference as a texture that rotates with the gaze, completed where lids hide it.

The image of an eye is decomposed into a matt eyeball, the shade that the lids cast on it, and the highlight on the
cornea. The matt eyeball rotates, the shade follows the lids, and the highlight stays with the light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.head.model import Float
from reenact.head.regions import EYEBALL, region_ids
from reenact.head.shape import HeadShape

from .filters import blur, dilate, erode, extrapolate, remap, remap_mask, shift_down, smoothstep
from .light import luma
from .rasterised_mesh import Box, RasterisedMesh

EYE_IDS = region_ids(*EYEBALL)
_IRIS_RAD = 0.49  # angular radius of an iris of 5.9 mm on a ball of 12.5 mm
_BINS, _WIDEST_RAD = 96, 1.45  # of _RadialColours; beyond, the back of the ball is never seen
# Chosen. In brackets: mean change of the eyes, in grey levels, at half and at double, in 10 frames of the demo photo.
_DARKEST = 0.62  # share of the light that the lids leave at least (0.24; 0.38)
_ENOUGH_PX = 20  # pixels of an eye that colours can be estimated from (0; 0)


@dataclass(frozen=True)
class _RadialColours:
    """Colours of an eyeball by the angle from the axis of its iris; all of the sclera has one colour."""

    colours: Float  # [_BINS, 3] 0 to 255, at angles from 0 to _WIDEST_RAD

    @classmethod
    def fit(cls, unshaded: Float, angles: Float, mask: NDArray[np.bool_], iris_rad: float) -> _RadialColours:
        """Take medians by angle, and an ordinary brown eye where there is nothing to see.

        Args:
            unshaded: [h, w, 3] the eye without the lids' shade, 0 to 255.
            angles: [h, w] rad from the axis.
            mask: [h, w] pixels that surely show the eyeball.
            iris_rad: angular radius of the iris.
        """
        centres = (np.arange(_BINS) + 0.5) * (_WIDEST_RAD / _BINS)
        centres = centres.astype(np.float32)
        samples, pixels = angles[mask], unshaded[mask]
        colours = np.full((_BINS, 3), np.nan, np.float32)
        for i, centre in enumerate(centres[centres < 1.3 * iris_rad]):
            near = np.abs(samples - centre) < 0.05
            if near.sum() >= 4:
                colours[i] = np.median(pixels[near], axis=0)
        if np.isnan(colours).all():
            colours[centres < iris_rad] = (72.0, 50.0, 38.0)
            colours[centres < 0.2] = (20.0, 17.0, 16.0)  # pupil
        sclera = pixels[samples > 1.3 * iris_rad]
        colours[centres >= 1.3 * iris_rad] = np.median(sclera, axis=0) if len(sclera) >= 8 else (205.0, 198.0, 194.0)
        finite = np.isfinite(colours[:, 0])
        columns = [np.interp(centres, centres[finite], colours[finite, channel]) for channel in range(3)]
        return cls(np.column_stack(columns).astype(np.float32))

    def at(self, angles: Float) -> Float:
        """Interpolate the colours [..., 3] at angles [...] rad."""
        position = np.clip(angles * (_BINS / _WIDEST_RAD) - 0.5, 0, _BINS - 1)
        low = np.minimum(position.astype(int), _BINS - 2)
        share = (position - low)[..., None]
        return ((1.0 - share) * self.colours[low] + share * self.colours[low + 1]).astype(np.float32)


@dataclass(frozen=True)
class Eyeball:
    """One eye of the reference, decomposed. Images cover `box` of the reference."""

    axis: Float  # [3] centre of the iris, in the eyeball's own frame
    radial: _RadialColours  # unshaded
    box: Box
    matt: Float  # [h, w, 3] the eye without shade and highlight
    visibility: Float  # [h, w] 1 where the reference surely shows the eyeball
    highlight: Float  # [h, w, 3] added to the matt eye
    is_open: bool  # far enough to estimate colours

    @classmethod
    def from_reference(cls, image: NDArray[np.uint8], raster: RasterisedMesh, directions: Float) -> Eyeball:
        """Decompose one eye.

        Args:
            image: [P, P, 3] the reference image.
            raster: the head as the reference shows it, around the eye.
            directions: [V, 3] see `eyeball_directions`.
        """
        patch = image[raster.box.slices].astype(np.float32)
        opening = raster.coverage(*EYE_IDS)
        inside = raster.mask(*EYE_IDS) & (opening > 0.8)
        height = max(float(inside.sum(axis=0).max()), 1.0)
        rays = raster.interpolate(directions)
        axis, iris_rad = _find_iris(patch, rays, inside)
        angles = _angles(axis, rays)
        shade = _lid_shade(opening)[..., None]
        unshaded = patch / shade

        sure = erode(inside, max(1, round(0.10 * height))) > 0
        sure = sure if sure.sum() > _ENOUGH_PX else inside
        radial = _RadialColours.fit(unshaded, angles, sure, iris_rad)
        expected = radial.at(angles)
        near_iris = smoothstep(1.5 * iris_rad, 1.2 * iris_rad, angles) * inside
        halo = max(1, round(0.05 * height))
        # What is so much brighter than the iris is a reflection.
        spots = dilate((luma(unshaded - expected) > 35.0) * near_iris, halo)
        highlight = blur(spots, 0.6 * halo) * inside
        matt = np.asarray(unshaded + highlight[..., None] * (expected - unshaded), np.float32)
        # What is so much darker than the sclera is lashes and lid skin, which the fit took for sclera.
        stray = (luma(matt) < 0.72 * luma(expected)) & (angles > 1.25 * iris_rad)
        visibility = blur(sure & ~stray, max(0.05 * height, 0.6)) * sure.astype(np.float32)
        is_open = bool(inside.sum() > _ENOUGH_PX)
        return cls(axis, radial, raster.box, matt, visibility, (unshaded - matt) * shade, is_open)

    @property
    def sclera(self) -> Float:
        """[3] unshaded colour of the white of the eye, 0 to 255."""
        return self.radial.colours[-1]

    def render(
        self, raster: RasterisedMesh, directions: Float, displacement: Float, highlight_shift: Float, grid: Float
    ) -> Float:
        """Render the eyeball in a driven window, continued a little beyond it.

        Args:
            raster: the driven head in the window.
            directions: [h, w, 3] in the eyeball's own frame.
            displacement: [h, w, 2] px to where the reference shows the same point.
            highlight_shift: [2] px that the highlight has moved since the reference.
            grid: [h, w, 2] of the window; see `pixel_grid`.

        Returns:
            Colours [h, w, 3], 0 to 255.
        """
        places = grid - self.box.corner
        visibility = remap_mask(self.visibility, places + displacement)[..., None]
        colour = self.radial.at(_angles(self.axis, directions))
        colour += visibility * (remap(self.matt, places + displacement) - colour)
        colour *= _lid_shade(raster.coverage(*EYE_IDS))[..., None]
        colour += remap_mask(self.highlight, places - highlight_shift)
        return extrapolate(colour, raster.mask(*EYE_IDS), 1)


def _find_iris(patch: Float, directions: Float, inside: NDArray[np.bool_]) -> tuple[Float, float]:
    """Find the circle with the strongest step from dark to bright.

    Args:
        patch: [h, w, 3] of the image, 0 to 255.
        directions: [h, w, 3] in the eyeball's own frame.
        inside: [h, w] pixels of the eyeball.

    Returns:
        Axis [3] and angular radius of the iris, rad. An eye that is too shut to tell looks straight ahead.
    """
    rows = np.flatnonzero(inside.ravel())
    rows = rows[:: max(1, len(rows) // 1200)]
    best, iris = -np.inf, (np.asarray([0.0, 0.0, 1.0], np.float32), _IRIS_RAD)
    brightness = luma(blur(patch, 0.7)).ravel()[rows]
    rays = directions.reshape(-1, 3)[rows]
    for yaw in np.linspace(-0.24, 0.24, 13):
        for pitch in np.linspace(-0.16, 0.16, 9):
            axis = np.asarray([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], np.float32)
            angles = _angles(axis, rays)
            for radius in _IRIS_RAD * np.linspace(0.85, 1.1, 6):
                outer = brightness[(angles > 1.05 * radius) & (angles < 1.35 * radius)]
                inner = brightness[(angles > 0.65 * radius) & (angles < 0.95 * radius)]
                if min(len(outer), len(inner)) < 8:
                    continue
                # The fitted gaze is nearly right: a prior holds the axis to it.
                score = outer.mean() - inner.mean() - 0.3 * inner.std() - 150.0 * (yaw**2 + pitch**2)
                if score > best:
                    best, iris = score, (axis, float(radius))
    return iris


def _lid_shade(opening: Float) -> Float:
    """Return the share of the light that lids leave on the eyeball [h, w]: least under the upper lid.

    Args:
        opening: [h, w] share of each pixel that shows the eyeball.
    """
    height = max(float((opening > 0.5).sum(axis=0).max()), 1.0)
    soft = shift_down(blur(opening, 0.16 * height), 0.14 * height)
    return _DARKEST + (1.0 - _DARKEST) * smoothstep(0.1, 0.95, soft)


def eyeball_directions(head: HeadShape) -> Float:
    """Return unit directions from each eyeball's centre to its vertices in the neutral [V, 3]; 0 elsewhere."""
    neutral = head.neutral.numpy()
    out = np.zeros_like(neutral)
    for rows, centre in zip(head.eyeballs, head.eyes.numpy(), strict=True):
        ray = neutral[rows] - centre
        out[rows] = ray / np.linalg.norm(ray, axis=1, keepdims=True)
    return out


def _angles(axis: Float, directions: Float) -> Float:
    """Return angles [...] rad between an axis [3] and directions [..., 3]; a right angle where there is none."""
    length = np.maximum(np.linalg.norm(directions, axis=-1), 1e-6)
    return np.arccos(np.clip(directions @ axis / length, -1.0, 1.0)).astype(np.float32)
