# SPDX-License-Identifier: Apache-2.0
"""Lip skin that the reference hides: behind the line where they meet, lips are wet, darker and in shade."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reenact.head.model import Float
from reenact.head.mouth import head_size
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape

from .filters import blur, dilate, extrapolate, smoothstep
from .light import luma
from .posed_head import PosedHead
from .rasterised_mesh import RasterisedMesh
from .skin import Skin

_LIPS = region_ids("lips")


class InnerLips:
    """Colours of hidden lip skin.

    Args:
        head: the subject's, of V vertices.
        skin: of the reference.
        lining: [3] colour of the mouth's lining in the reference's light, 0 to 255.
    """

    def __init__(self, head: HeadShape, skin: Skin, lining: Float) -> None:
        rows = head.topology.region_vertices(*_LIPS)
        self._rows = rows.numpy()
        depth_m = head.inner_lips.depth_behind_lips(head.neutral[None], rows)[0].numpy() / float(head_size(head.eyes))
        # In front of the line, at the same distance from the middle, is the red of the lips; behind it is their inside.
        self._inside = smoothstep(-0.0010, 0.0035, depth_m)[:, None]
        self._light = skin.light
        self._fill = skin.fill
        red = skin.fill[self._rows]
        # Lipstick ends at that line, and nothing in a mouth is as bright as skin outside.
        dimmed = np.minimum(lining, lining * (luma(red)[:, None] / max(float(luma(lining)), 1.0)))
        self._lining = 0.5 * red + 0.5 * dimmed

    def colours(self, posed: PosedHead) -> Float:
        """Return the colours of the vertices in a pose [V, 3], 0 to 255."""
        normals = posed.normals[self._rows]
        # 0.45 of the light is left in the depth; a wet surface reflects 0.12 of white at most.
        shade = self._light.shade(normals)[:, None] * (1.0 - (1.0 - 0.45) * self._inside)
        wet = 0.12 * self._light.gloss(normals)[:, None] * self._light.skin
        out = self._fill.copy()
        out[self._rows] += self._inside * (self._lining * shade + wet - out[self._rows])
        return out


def without_teeth(
    image: NDArray[np.uint8], raster: RasterisedMesh, edge: NDArray[np.bool_], fill: Float, lips: Float
) -> NDArray[np.uint8]:
    """Replace what is teeth on the mesh's lips by the colour of lips: the fitted edge is a pixel or two off.

    Teeth are told from lips by being brighter and much paler.

    Args:
        image: [P, P, 3] the reference image.
        raster: the mouth in the reference.
        edge: [h, w] near the line where lips meet.
        fill: [V, 3] colours of lips, 0 to 255.
        lips: [3] their mean.

    Returns:
        The image, changed or as it is.
    """
    patch = image[raster.box.slices].astype(np.float32)
    pale = patch.max(axis=-1) - patch.min(axis=-1) < 0.75 * max(float(lips.max() - lips.min()), 1.0)
    bright = luma(patch) > 1.05 * luma(lips)
    on_lips = raster.mask(*_LIPS)
    teeth = edge & on_lips & pale & bright
    if not teeth.any():
        return image
    share = blur(dilate(teeth, 1), 0.6) * raster.coverage(*_LIPS)
    out = image.copy()
    colour = extrapolate(raster.interpolate(fill), on_lips, 2)
    out[raster.box.slices] = np.rint(patch + share[..., None] * (colour - patch)).clip(0, 255).astype(np.uint8)
    return out
