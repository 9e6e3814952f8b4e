# SPDX-License-Identifier: Apache-2.0
"""A flat map of the skin to paint on: the base head unrolled about a vertical axis through the skull.

The head's own UVs give the face a fifth of the picture; this chart has about half a millimetre a pixel all over.
Beside the skin, the sheet has squares for the eyeball, and for what is one plain colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from reenact.head.model import Float
from reenact.head.open import open_head
from reenact.head.regions import EMPTY, REGIONS, region_ids
from reenact.rendering import face_labels, interpolate, rasterise

from .folds import AXIS_Z, RADIUS_M
from .surface import fine_surface

HEIGHT, WIDTH = 512, 1024  # of the sheet's part for the head, px
BODY_HEIGHT = 256  # px below it that show shoulders and clothes (body.py)
SKIN_WIDTH = 800  # px of it that show skin
EYE_PX = 192  # side of the eyeball's square
_TURN = 1.06  # turns about the axis in the skin's width: the seam's triangles reach into the second one
_OUTSIDE = ("skin", "neck", "ears", "eyelids", "lips")
EYE_CORNER = (SKIN_WIDTH + 16, 16)  # top-left sheet px (x, y) of the eyeball's square
TEETH_PX, TEETH_SPAN_M = (192, 32), 0.088  # a strip of teeth: px wide and high, metres along the arch
TEETH_CORNERS = {"teeth_upper": (SKIN_WIDTH + 16, 216), "teeth_lower": (SKIN_WIDTH + 16, 256)}
"""Top-left sheet px (x, y) of the strips of teeth; gums are at the top of each."""
EYE_SPAN = 1.15  # half a side of the eyeball's square, in radii


@dataclass(frozen=True)
class _Chart:
    """The sheet's places, and the base head at every pixel of its skin."""

    corners: Float  # [U, 2] sheet px of every corner used by `corner_faces`
    corner_faces: Tensor  # [G, 3] int64 into `corners`, for the fine surface's faces
    position: Tensor  # [H, SKIN_WIDTH, 3] canonical base head, metres; beyond the skin that of the nearest skin
    labels: np.ndarray  # [H, SKIN_WIDTH] uint8 heads.regions
    landmarks: Float  # [478, 2] sheet px
    ambient: Tensor  # [H, SKIN_WIDTH] see FineSurface


def plain_spot(region: str) -> tuple[float, float]:
    """Return the middle of the 32 px square of a region that is one colour: sheet px (x, y)."""
    slot = REGIONS.index(region)
    return SKIN_WIDTH + 32.0 + 40.0 * (slot % 4), 330.0 + 40.0 * (slot // 4)


def _place_teeth(points: Float, region: str) -> Float:
    """Map [G, 3, 3] to [G, 3, 2]: along the arch from the subject's right to the left, and from gum to edge."""
    flat = points.reshape(-1, 3)
    back = flat[:, 2].max() - 0.028  # about where the arch's circle has its centre
    along = np.arctan2(flat[:, 0], np.maximum(flat[:, 2] - back, 0.0) + 1e-4) * 0.027
    tall = np.ptp(flat[:, 1])
    down = (flat[:, 1].max() - flat[:, 1]) / tall
    if region == "teeth_lower":
        down = 1.0 - down
    x0, y0 = TEETH_CORNERS[region]
    x = x0 + (along / TEETH_SPAN_M + 0.5) * TEETH_PX[0]
    return np.stack([x, y0 + 1 + down * (TEETH_PX[1] - 2)], -1).reshape(-1, 3, 2).astype(np.float32)


def _unroll(points: Float) -> Float:
    """Map [..., 3] canonical to [..., 2] sheet px; the middle of the face at half a turn."""
    turn = np.arctan2(points[..., 0], points[..., 2] - AXIS_Z) / (2 * np.pi)
    turn = turn + 0.09 * np.sin(2 * np.pi * turn) + 0.5  # the face gets more room than the back of the head
    return np.stack([turn * SKIN_WIDTH / _TURN, (0.125 - points[..., 1]) / 0.300 * HEIGHT], -1).astype(np.float32)


@lru_cache(maxsize=1)
def chart() -> _Chart:
    """Make the chart, once a process."""
    surface, head = fine_surface(), open_head()
    faces, regions = surface.faces.numpy(), surface.regions
    corners = _unroll(surface.base)[faces]  # [G, 3, 2]: each face has its own corners
    whole = SKIN_WIDTH / _TURN
    wraps = np.ptp(corners[..., 0], axis=1) > whole / 2
    corners[wraps] += np.where(corners[wraps][..., :1] < whole / 2, [whole, 0.0], [0.0, 0.0]).astype(np.float32)
    outside = np.isin(regions, region_ids(*_OUTSIDE))
    _place_eyes(corners, faces, regions)
    for name in ("teeth_upper", "teeth_lower"):
        own = regions == REGIONS.index(name)
        corners[own] = _place_teeth(surface.base[faces[own]], name)
    for name in set(REGIONS) - set(_OUTSIDE) - {"sclera", "iris", "teeth_upper", "teeth_lower"}:
        corners[regions == REGIONS.index(name)] = plain_spot(name)
    position, labels, ambient = _bake(corners[outside], faces[outside], regions[outside])
    top = head.topology
    return _Chart(
        corners.reshape(-1, 2),
        torch.arange(corners.shape[0] * 3).view(-1, 3),
        position,
        labels,
        _unroll(top.at_landmarks(head.base_neutral).numpy()),
        ambient,
    )


def _place_eyes(corners: Float, faces: np.ndarray, regions: np.ndarray) -> None:
    """Place the corners of the eyeballs: seen from the front, the left one mirrored onto the right."""
    head = open_head()
    surface = fine_surface()
    centres = np.stack([surface.base[head.topology.region_vertices(*region_ids("sclera", "iris")).numpy()]])
    left, right = (centres[0][centres[0][:, 0] * sign > 0] for sign in (1, -1))
    x0, y0 = EYE_CORNER
    for ball, sign in ((left, 1.0), (right, -1.0)):
        middle = 0.5 * (ball.max(0) + ball.min(0))
        radius = 0.5 * float(np.ptp(ball[:, 1]))
        own = np.isin(regions, region_ids("sclera", "iris")) & (surface.base[faces].mean(1)[:, 0] * sign > 0)
        flat = (surface.base[faces[own]] - middle)[..., :2] / radius / EYE_SPAN * [sign, -1.0]
        corners[own] = (flat + 1.0) * (EYE_PX / 2) + [x0, y0]


def _bake(corners: Float, faces: np.ndarray, regions: np.ndarray) -> tuple[Tensor, np.ndarray, Tensor]:
    """Rasterise base position, label and ambient light at every pixel of the skin, outermost where it folds."""
    surface = fine_surface()
    # Faces near the first seam are rasterised again one turn on.
    again = corners[..., 0].max(1) < SKIN_WIDTH * (1.0 - 1.0 / _TURN) + 8
    corners = np.concatenate([corners, corners[again] + np.asarray([SKIN_WIDTH / _TURN, 0.0], np.float32)])
    faces, regions = np.concatenate([faces, faces[again]]), np.concatenate([regions, regions[again]])
    base = surface.base[faces]  # [G, 3, 3]
    radius = np.hypot(base[..., 0], base[..., 2] - AXIS_Z)
    place = np.concatenate([corners, 1.0 - radius[..., None]], -1).reshape(1, -1, 3).astype(np.float32)
    own = torch.arange(len(faces) * 3).view(-1, 3)
    drawn = rasterise(torch.from_numpy(place), own, HEIGHT, SKIN_WIDTH, cull_back=False)
    values = np.concatenate([base, surface.ambient[faces][..., None]], -1).reshape(1, -1, 4).astype(np.float32)
    flat = interpolate(torch.from_numpy(values), own, drawn, "torch")[0]
    labels = face_labels(torch.from_numpy(regions), EMPTY, drawn, "torch")[0].numpy()
    nearest = distance_transform_edt(labels == EMPTY, return_distances=False, return_indices=True)
    row, column = np.asarray(nearest)
    flat = flat[torch.from_numpy(row), torch.from_numpy(column)]
    return flat[..., :3].contiguous(), labels[row, column], flat[..., 3].contiguous()


def fold_curve(points: Float) -> Float:
    """Map [P, 2] metres on the unrolled head (folds.py) to [P, 2] sheet px."""
    turn = points[:, 0] / RADIUS_M
    there = np.stack([np.sin(turn), points[:, 1], np.cos(turn) + AXIS_Z], -1)
    return _unroll(there.astype(np.float32))
