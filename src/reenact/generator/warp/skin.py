# SPDX-License-Identifier: Apache-2.0
"""The face's skin: which of it the photo shows, what colour the rest has, and how the mesh carries it along."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from reenact.head.mesh import triangle_areas
from reenact.head.model import Float, Int
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape
from reenact.head.spread import spread
from reenact.rendering.head_renderer import VisibleHead

from .filters import blur, erode, extrapolate, nearest_pixels, remap, smoothstep
from .light import Light, estimate, luma
from .moment import Moment
from .window import Drawing

_FACE = (0.2, 0.8)  # weights of the face between which the mesh takes over from the sheet
_SKIN = region_ids("skin", "neck", "ears", "eyelids", "lips", "eye_socket")
_FINE = region_ids("eyelids", "lips", "eye_socket")
_LASHES_M = 0.0050  # around the edges of the lids, where the photo shows lashes and not skin
_LIP_LINE_M = 0.0030  # around the line of the shut lips, where it shows that or teeth
_LIDS = (0.72, 1.1)  # of that brightness, for lids
_FLESH = np.asarray([0.8, 1.08, 1.25], np.float32)  # exponents: skin in the shade is redder
_DARK = (0.6, 0.85)  # of the brightness that the light gives skin: below are brows, glasses, hair


@dataclass(frozen=True)
class Skin:
    """V vertices of the whole head."""

    anchors: Int  # [N] vertices of the face
    trust: Float  # [V] in the mesh's warp; elsewhere the sheet's is better
    visibility: Float  # [V]
    fill: Float  # [V, 3] colour where hidden, 0 to 255
    like_skin: Float  # [V] 1 where the photo shows skin and no hair, lashes or glasses over it
    light: Light

    def overlay(self, patch: Float, photo: NDArray[np.uint8], drawing: Drawing, back: Float, grid: Float) -> None:
        """Put the photo's skin, where the mesh has it now, over a patch [h, w, 3] of the picture, in place.

        back: [h, w, 3] the way back to the photo in px, and `trust`. grid: [h, w, 2] see window.pixel_grid.
        """
        exact = back.copy()
        exact[..., 2][drawing.mask(*_FINE)] = 1.0
        exact = extrapolate(exact, drawing.mask(*_SKIN), 2)
        weight = exact[..., 2] * drawing.coverage(*_SKIN)
        patch += weight[..., None] * (remap(photo, grid + exact[..., :2]) - patch)

    def hidden(self, drawing: Drawing) -> tuple[Float, Float]:
        """Share [h, w] of lid and lip skin that the photo does not show, and its colour [h, w, 3]."""
        values = drawing.carry(np.column_stack([self.visibility, self.fill]))
        return drawing.mask(*_FINE) * np.clip(1.0 - values[..., 0], 0.0, 1.0), values[..., 1:]


def photographed_skin(photo: NDArray[np.uint8], person: Float, head: HeadShape, seen: VisibleHead, at: Moment) -> Skin:
    """Read the skin off the photo [P, P, 3]. person: [S, S] probability that a pixel shows the person."""
    topology = head.topology
    size = photo.shape[0]
    coarse = nearest_pixels(blur(photo, size / 256), at.px)
    plain = topology.region_vertices(*region_ids("skin"))
    plain = plain[(topology.face_weight[plain] > 0.8) & (seen.visibility[plain] > 0.1)]
    light = estimate(coarse[plain], at.normals[plain], seen.visibility[plain] * _areas(seen, at)[plain])
    expected = light.shade(at.normals) * luma(light.skin)
    like_skin = seen.visibility * smoothstep(*_DARK, luma(coarse) / expected)

    # Where the fitted outline leaves the person, the mesh would carry background along.
    inside = erode(person, 2)
    on_person = nearest_pixels(inside[..., None], at.px * (inside.shape[0] / size))[:, 0]
    trust = seen.unhidden * smoothstep(*_FACE, topology.face_weight) * smoothstep(0.6, 0.95, on_person)
    fine = nearest_pixels(blur(photo, size / 600), at.px)
    fill = _fill(fine, like_skin, light, expected, head, seen)
    anchors = np.flatnonzero(topology.face_weight > _FACE[0]).astype(np.int32)
    return Skin(anchors, trust.astype(np.float32), seen.visibility, fill, like_skin, light)


def _areas(seen: VisibleHead, at: Moment) -> Float:
    """[V] surface that each vertex stands for, metres squared: the mesh is finest where there is least plain skin."""
    faces = seen.faces.numpy()
    area = triangle_areas(at.shape, faces) / 3.0
    return np.bincount(faces.ravel(), np.repeat(area, 3), len(at.shape)).astype(np.float32)


def distance_to(head: HeadShape, rows: Int) -> Float:
    """[V] metres of an adult's head from each vertex to the nearest vertex of `rows`, on the neutral."""
    scale = float(np.ptp(head.eyes.numpy()[:, 0])) / 0.064
    return (KDTree(head.neutral.numpy()[rows]).query(head.neutral.numpy())[0] / scale).astype(np.float32)


def _fill(colours: Float, like_skin: Float, light: Light, expected: Float, head: HeadShape, seen: VisibleHead) -> Float:
    """[V, 3] colours for skin that the photo hides or shows badly, from the seen skin around it."""
    topology = head.topology
    faces = seen.faces.numpy()
    trust = like_skin**2
    trust[topology.region_vertices(*region_ids("eyelids"))] = 0.0
    trust *= distance_to(head, topology.lid_contacts.ravel()) > _LASHES_M
    out = spread(colours, trust, faces[np.isin(seen.regions, region_ids("skin", "neck", "ears", "eyelids"))])
    # The hollow of an eye is full of lashes and make-up: lids are held to what skin can look like in this light.
    level = np.clip(luma(out), _LIDS[0] * expected, _LIDS[1] * expected) / luma(light.skin)
    plausible = 0.3 * out + 0.7 * light.skin * level[:, None] ** light.tinted(_FLESH)
    near = smoothstep(0.020, 0.012, distance_to(head, topology.lid_contacts.ravel()))[:, None]
    out += near * (plausible - out)
    trust = seen.visibility**2 * (distance_to(head, topology.lip_contacts.ravel()) > _LIP_LINE_M)
    out = spread(out, trust, faces[np.isin(seen.regions, region_ids("lips"))])
    return spread(out, seen.visibility**2, faces[np.isin(seen.regions, region_ids("eye_socket"))])
