# SPDX-License-Identifier: Apache-2.0
"""What one picture shows of a head's texture, and how well: a picture projected onto the texels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.head.model import Float
from reenact.head.regions import EYEBALL, MOUTH_INTERIOR, region_ids
from reenact.head.smoothstep import smoothstep
from reenact.perception.dense.maps import View
from reenact.perception.dense.network import CLASSES, HEAD
from reenact.rendering import Camera, rasterise, vertex_normals, visible_vertices

from .texels import Texels

_DEPTH_PX = 1024  # side of the picture in which it is found what hides what
_BEHIND_M = 0.003  # a point may lie that far behind the drawn surface and still count as seen
_BESIDE, _STEP_M = 0.012, 0.010  # share of the head about a nearer surface within which what is behind is not trusted
_COSINE = (0.12, 0.60)  # between normal and line of sight: from useless to as good as it gets
_OUTLINE_PX = (1.0, 4.0)  # of the estimator's crop: what lies so near to the background may show it
_INNER_CLASSES = CLASSES.index("eyes"), CLASSES.index("mouth")
_INNER = region_ids(*MOUTH_INTERIOR, *EYEBALL)


@dataclass(frozen=True)
class TexelSamples:
    """One picture, for the N texels."""

    colour: NDArray[np.uint8]  # [N, 3] sRGB
    quality: Float  # [N] 0 not seen, 1 head on and as fine as the texture
    shown: NDArray[np.uint8]  # [N] what the picture shows there, index into dense.network.CLASSES


def sample_picture(
    view: View, focal_px: float, classes: NDArray[np.uint8], points: Tensor, faces: Tensor, texels: Texels
) -> TexelSamples:
    """Project the texels into a picture.

    focal_px: of the picture, whose principal point is in its middle. classes: [P, P] of the view's crop (dense.maps).
    points: [V, 3] the detailed surface where the picture shows it, camera space (x right, y down, z away), metres.
    faces: [G, 3] int64 its triangles.
    """
    height, width = view.picture.shape[:2]
    camera = Camera(focal_px, width / 2, height / 2, width, height)
    vertices_px = camera.project(points)
    place, lie = texels.carry(points.numpy()), texels.carry(vertex_normals(points, faces).numpy())
    cosine = -_dot(place, lie) / (np.sqrt(_dot(place, place)) * np.sqrt(_dot(lie, lie)) + 1e-12)
    places_px = camera.project(torch.from_numpy(place))
    where = places_px.numpy()
    a, b, c = vertices_px[faces, :2].unbind(1)
    shown = 0.5 * ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).abs().numpy()
    fineness = np.sqrt(shown / np.maximum(texels.area_px, 1e-9))[texels.face]  # px of the picture a texel
    quality = smoothstep(*_COSINE, cosine) * np.minimum(fineness, 1.0)
    shown, on_head = _shown(view, classes, where[:, :2])
    quality *= _unhidden(vertices_px, faces, places_px, camera) * on_head
    # Eyes and the inside of a mouth are surfaces of their own: on skin they are a misfit.
    quality[np.isin(shown, _INNER_CLASSES) & ~np.isin(texels.region, _INNER)] = 0.0
    x, y = where[:, 0], where[:, 1]
    quality[~((x >= 0.5) & (x <= width - 0.5) & (y >= 0.5) & (y <= height - 0.5))] = 0.0
    good = quality > 0.3
    colour = _sampled(view.picture, texels, where[:, :2], float(np.median(fineness[good])) if good.any() else 1.0)
    return TexelSamples(colour, quality.astype(np.float32), shown)


def _dot(a: Float, b: Float) -> Float:
    """[N, 3] -> [N]. numpy's own sums and norms over so short an axis take several times as long."""
    return np.asarray(a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2], np.float32)


def _unhidden(px: Tensor, faces: Tensor, where: Tensor, camera: Camera) -> NDArray[np.bool_]:
    """[N] whether nothing lies in front of a texel, nor so near beside it that a small misfit would put it there."""
    low, high = px[:, :2].amin(0), px[:, :2].amax(0)
    side = float((high - low).max())
    out = min(_DEPTH_PX, math.ceil(side))
    crop = camera.cropped(float(low[0]), float(low[1]), side, out)
    scale, corner = px.new_tensor([out / side, out / side, 1.0]), px.new_tensor([*low.tolist(), 0.0])
    mesh, points = ((p - corner)[None] * scale for p in (px, where))
    depth = rasterise(mesh, faces, crop.height, crop.width, cull_back=True).depth
    seen = visible_vertices(depth, points, _BEHIND_M)[0].numpy()
    reach = max(1, round(_BESIDE * out))
    nearest = cv2.erode(depth[0].numpy(), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8))
    column, row = (np.clip(points[0, :, i].numpy().astype(int), 0, out - 1) for i in (0, 1))
    return seen & (where[:, 2].numpy() < np.asarray(nearest)[row, column] + _STEP_M)


def _shown(view: View, classes: NDArray[np.uint8], px: Float) -> tuple[NDArray[np.uint8], Float]:
    """[N] class of each place, and [N] 1 where it is of head or hair, softly to 0 towards background and clothes."""
    inside = np.isin(classes, HEAD).astype(np.uint8)
    padded = cv2.copyMakeBorder(inside, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    away = np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5))[1:-1, 1:-1]
    at = view.crop.to_crop(px)
    outside = (at < 0) | (at >= view.crop.output_px)
    beyond = outside[:, 0] | outside[:, 1]
    column, row = (np.clip(at[:, i].astype(int), 0, view.crop.output_px - 1) for i in (0, 1))
    trust = smoothstep(*_OUTLINE_PX, away[row, column])
    trust[beyond] = 0.0
    return classes[row, column], trust


def _sampled(picture: NDArray[np.uint8], texels: Texels, px: Float, fineness: float) -> NDArray[np.uint8]:
    """[N, 3] colours at px, averaged first where the picture is finer than the texture."""
    factor = 1.0 / max(fineness, 1.0)
    if factor < 0.9:
        size = max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor))
        px = px * (np.asarray(size, np.float32) / picture.shape[1::-1]).astype(np.float32)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    place = texels.picture(np.ascontiguousarray(px, np.float32) - np.float32(0.5))
    drawn = cv2.remap(picture, place[..., 0], place[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return texels.taken(np.asarray(drawn))
