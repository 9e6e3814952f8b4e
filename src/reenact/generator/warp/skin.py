# SPDX-License-Identifier: Apache-2.0
"""The face's skin: which of it the reference shows, what colour the rest has, and how the mesh warps it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from reenact.head.mesh import triangle_areas
from reenact.head.model import Float, Int
from reenact.head.mouth import head_size
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape
from reenact.head.spread import spread
from reenact.rendering.head_renderer import VisibleHead

from .filters import blur, erode, extrapolate, nearest_pixels, remap, smoothstep
from .light import Light, luma
from .posed_head import PosedHead
from .rasterised_mesh import RasterisedMesh

_SKIN = region_ids("skin", "neck", "ears", "eyelids", "lips", "eye_socket")
_FINE = region_ids("eyelids", "lips", "eye_socket")
# Chosen. In brackets: mean change of the face, in grey levels, at half and at double, in 10 frames of the demo photo.
_FACE = (0.2, 0.8)  # face weights between which the mesh takes over from the background warp (0.16; 0.87)
_LASHES_M = 0.0050  # distance to the lids' edges within which there are lashes instead of skin (0; 0)
_LIP_LINE_M = 0.0030  # distance to where lips meet within which there is their dark line, or teeth (0.01; 0.04)
_FLESH_EXPONENT = np.asarray([0.8, 1.08, 1.25], np.float32)  # of R, G, B: shade is redder (0; 0)


@dataclass(frozen=True)
class Skin:
    """Skin of a head of V vertices in the reference image."""

    anchors: Int  # [N] vertices of the face
    warp_weight: Float  # [V] of the mesh's warp; what is left is the background warp's
    visibility: Float  # [V] see VisibleHead
    fill: Float  # [V, 3] colour where it is hidden, 0 to 255
    light: Light

    @classmethod
    def from_reference(
        cls, image: NDArray[np.uint8], person: Float, head: HeadShape, visible: VisibleHead, reference: PosedHead
    ) -> Skin:
        """Estimate light and colours of the skin.

        Args:
            image: [P, P, 3] the reference image.
            person: [S, S] probability that a pixel shows the person.
            head: the subject's.
            visible: what of it the reference shows.
            reference: the head as the reference shows it.
        """
        topology = head.topology
        size = image.shape[0]
        coarse = nearest_pixels(blur(image, size / 256), reference.px)
        visibility = visible.visibility.numpy()
        plain, face_weight = topology.region_vertices(*region_ids("skin")).numpy(), topology.face_weight.numpy()
        plain = plain[(face_weight[plain] > 0.8) & (visibility[plain] > 0.1)]
        areas = _vertex_areas(visible.faces.numpy(), reference.vertices)
        light = Light.fit(coarse[plain], reference.normals[plain], visibility[plain] * areas[plain])
        expected = light.shade(reference.normals) * luma(light.skin)
        # What is darker than the light makes skin is brows, glasses or hair.
        bareness = visibility * smoothstep(0.6, 0.85, luma(coarse) / expected)

        # Where the fitted outline leaves the person, the mesh would warp background along.
        inside = erode(person, 2)
        on_person = nearest_pixels(inside[..., None], reference.px * (inside.shape[0] / size))[:, 0]
        on_face = smoothstep(*_FACE, face_weight)
        weight = visible.unoccluded.numpy() * on_face * smoothstep(0.6, 0.95, on_person)
        fine = nearest_pixels(blur(image, size / 600), reference.px)
        fill = _fill(fine, bareness, light, expected, head, visible)
        anchors = np.flatnonzero(face_weight > _FACE[0])
        return cls(anchors, weight.astype(np.float32), visibility, fill, light)

    def composite(
        self, patch: Float, image: NDArray[np.uint8], raster: RasterisedMesh, warp: Float, grid: Float
    ) -> None:
        """Composite the warped skin over a patch of the frame, in place.

        Args:
            patch: [h, w, 3] 0 to 255.
            image: [P, P, 3] the reference image.
            raster: the driven head in the patch.
            warp: [h, w, 3] displacement to where the reference shows the same point (x px, y px), and warp weight.
            grid: [h, w, 2] of the patch; see `pixel_grid`.
        """
        exact = warp.copy()
        exact[..., 2][raster.mask(*_FINE)] = 1.0
        exact = extrapolate(exact, raster.mask(*_SKIN), 2)
        weight = exact[..., 2] * raster.coverage(*_SKIN)
        patch += weight[..., None] * (remap(image, grid + exact[..., :2]) - patch)


def surface_distance(head: HeadShape, rows: Int) -> Float:
    """Return the distance of each vertex to the nearest of some rows [V] metres, on the neutral at an adult's size."""
    neutral = head.neutral.numpy()
    return (KDTree(neutral[rows]).query(neutral)[0] / float(head_size(head.eyes))).astype(np.float32)


def front_areas(faces: Int, px: Float) -> NDArray[np.floating]:
    """Return the area of the triangles around each vertex that face the camera [V] px squared.

    Args:
        faces: [F, 3] of the part of the mesh in question.
        px: [V, 2 or more] vertices.
    """
    return np.asarray(np.bincount(faces.ravel(), np.repeat(_front_areas(faces, px), 3), len(px)), np.float64)


def texture_stretch(reference_areas: NDArray[np.floating], areas: NDArray[np.floating]) -> Float:
    """Return where the image is stretched so far that its texture means nothing [V], 0 to 1.

    Args:
        reference_areas: [V] `front_areas` in the reference.
        areas: [V] the same in the frame.
    """
    return smoothstep(1.5, 2.8, areas / np.maximum(reference_areas, 1e-3))


def _front_areas(faces: Int, px: Float) -> Float:
    """Return the areas of the triangles that face the camera [F] px squared; 0 for those that face away."""
    a, b, c = (px[faces[:, i], :2] for i in range(3))
    twice = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    return np.maximum(-0.5 * twice, 0.0)


def _vertex_areas(faces: Int, vertices: Float) -> Float:
    """Return a third of the area of each vertex's triangles [V] metres squared.

    As weights they make up for the mesh, which is finest where there is least plain skin.
    """
    area = triangle_areas(vertices, faces) / 3.0
    return np.bincount(faces.ravel(), np.repeat(area, 3), len(vertices)).astype(np.float32)


def _fill(
    colours: Float, bareness: Float, light: Light, expected: Float, head: HeadShape, visible: VisibleHead
) -> Float:
    """Return colours for skin that the reference hides or shows badly [V, 3], spread from the skin around it.

    Args:
        colours: [V, 3] of the reference at the vertices.
        bareness: [V] 1 where the reference shows skin without hair, brows or glasses over it.
        light: of the reference.
        expected: [V] brightness of skin in this light.
        head: the subject's.
        visible: what of it the reference shows.
    """
    topology = head.topology
    faces = visible.faces.numpy()
    regions, visibility = visible.regions.numpy(), visible.visibility.numpy()
    lid_distance = surface_distance(head, topology.lid_contacts.flatten().numpy())
    trust = bareness**2
    trust[topology.region_vertices(*region_ids("eyelids")).numpy()] = 0.0
    trust *= lid_distance > _LASHES_M
    out = spread(colours, trust, faces[np.isin(regions, region_ids("skin", "neck", "ears", "eyelids"))])
    # The hollow of an eye is full of lashes and make-up: lids are held to what skin can look like in this light.
    level = np.clip(luma(out), 0.72 * expected, 1.1 * expected) / luma(light.skin)
    plausible = 0.3 * out + 0.7 * light.skin * level[:, None] ** light.saturate(_FLESH_EXPONENT)
    near = smoothstep(0.020, 0.012, lid_distance)[:, None]
    out += near * (plausible - out)
    trust = visibility**2 * (surface_distance(head, topology.lip_contacts.flatten().numpy()) > _LIP_LINE_M)
    out = spread(out, trust, faces[np.isin(regions, region_ids("lips"))])
    return spread(out, visibility**2, faces[np.isin(regions, region_ids("eye_socket"))])
