# SPDX-License-Identifier: Apache-2.0
"""Eyeballs: the photo's own eye as a texture that turns with the gaze, completed where lids hid it.

The photo of an eye is taken apart into a matt eyeball, the shade that the lids cast on it, and the catch-light.
The eyeball turns; the shade follows the lids; the catch-light stays with the light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reenact.head.model import Float
from reenact.head.regions import EYEBALL, region_ids
from reenact.head.shape import HeadShape

from .filters import blur, dilate, erode, extrapolate, remap, remap_mask, shift_down, smoothstep
from .iris import IRIS_COLOURS, angles_from, find_iris, radial_colours
from .light import luma
from .window import Box, Drawing

EYE_IDS = region_ids(*EYEBALL)
_DARKEST = 0.62  # what the lids' shade leaves
_GLEAM = 35.0  # brighter than the iris by so much is a reflection, of 255
_STRAY = 0.72  # darker than the white by so much is lashes and lid skin that the fit took for white
_ENOUGH = 20  # pixels to judge an eye by


@dataclass(frozen=True)
class Eye:
    """One eye of the photo, taken apart. Pictures cover `box` of the photo."""

    axis: Float  # [3] middle of the iris, in the eyeball's own frame
    colours: Float  # by angle from the axis, unshaded; see iris.py
    box: Box
    matt: Float  # [h, w, 3] the photo without shade and catch-light
    trust: Float  # [h, w] 1 where the photo shows the eyeball for sure
    gleam: Float  # [h, w, 3] the catch-light, to be added
    is_open: bool  # far enough to be judged

    @property
    def white(self) -> Float:
        """[3] unshaded colour of the white, 0 to 255."""
        return self.colours[-1]

    def paint(self, drawing: Drawing, directions: Float, back: Float, gleam_shift: Float, grid: Float) -> Float:
        """[h, w, 3] colours of the eyeball in a driven window, continued a little beyond it.

        directions: [h, w, 3] in the eyeball's own frame. back: [h, w, 2] px to where the photo shows the same point.
        gleam_shift: [2] px that the catch-light has moved since the photo. grid: [h, w, 2] see pixel_grid.
        """
        where = grid - self.box.corner
        known = remap_mask(self.trust, where + back)[..., None]
        colour = IRIS_COLOURS.at(self.colours, angles_from(self.axis, directions))
        colour += known * (remap(self.matt, where + back) - colour)
        colour *= lid_shade(drawing.coverage(*EYE_IDS))[..., None]
        colour += remap_mask(self.gleam, where - gleam_shift)
        return extrapolate(colour, drawing.mask(*EYE_IDS), 1)


def take_apart(photo: NDArray[np.uint8], drawing: Drawing, directions: Float) -> Eye:
    """Read one eye off the photo [P, P, 3]. drawing: of the photo's state. directions: [V, 3] per vertex."""
    picture = photo[drawing.box.slices].astype(np.float32)
    opening = drawing.coverage(*EYE_IDS)
    inside = drawing.mask(*EYE_IDS) & (opening > 0.8)
    height = max(float(inside.sum(axis=0).max()), 1.0)
    turned = drawing.carry(directions)
    axis, iris = find_iris(picture, turned, inside)
    angles = angles_from(axis, turned)
    shade = lid_shade(opening)[..., None]
    unshaded = picture / shade

    sure = erode(inside, max(1, round(0.10 * height))) > 0
    sure = sure if sure.sum() > _ENOUGH else inside
    colours = radial_colours(unshaded, angles, sure, iris)
    expected = IRIS_COLOURS.at(colours, angles)
    near_iris = smoothstep(1.5 * iris, 1.2 * iris, angles) * inside
    halo = max(1, round(0.05 * height))
    spots = dilate((luma(unshaded - expected) > _GLEAM) * near_iris, halo)
    bright = blur(spots, 0.6 * halo) * inside
    matt = np.asarray(unshaded + bright[..., None] * (expected - unshaded), np.float32)
    stray = (luma(matt) < _STRAY * luma(expected)) & (angles > 1.25 * iris)
    trust = blur(sure & ~stray, max(0.05 * height, 0.6)) * sure.astype(np.float32)
    return Eye(axis, colours, drawing.box, matt, trust, (unshaded - matt) * shade, bool(inside.sum() > _ENOUGH))


def lid_shade(opening: Float) -> Float:
    """[h, w] brightness that the lids leave on the eyeball: darkest under the upper lid."""
    height = max(float((opening > 0.5).sum(axis=0).max()), 1.0)
    soft = shift_down(blur(opening, 0.16 * height), 0.14 * height)
    return _DARKEST + (1.0 - _DARKEST) * smoothstep(0.1, 0.95, soft)


def eyeball_directions(head: HeadShape) -> Float:
    """[V, 3] unit directions from each eyeball's centre to its vertices at rest, 0 elsewhere."""
    neutral = head.neutral.numpy()
    out = np.zeros_like(neutral)
    for rows, centre in zip(head.eyeballs, head.eyes.numpy(), strict=True):
        ray = head.neutral.numpy()[rows] - centre
        out[rows] = ray / np.linalg.norm(ray, axis=1, keepdims=True)
    return out
