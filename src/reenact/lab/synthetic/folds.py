# SPDX-License-Identifier: Apache-2.0
"""Folds that come and go with the expression: no sum of sculpted actions makes them.

Each fold is a curve over landmarks of the base head.  The skin sinks along it and bulges beside it, as deep as the
actions that press it together are strong, and deeper with age.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from reenact.head.arkit import index
from reenact.head.model import Float
from reenact.head.open import open_head
from reenact.head.regions import region_ids

from .surface import fine_surface

_LEFT_OF = {129: 358, 203: 423, 206: 426, 216: 436, 212: 432, 33: 263, 61: 291, 107: 336, 66: 296, 105: 334}
AXIS_Z, RADIUS_M = -0.075, 0.105  # of the cylinder that the face is unrolled from


@dataclass(frozen=True)
class _Fold:
    """One curve."""

    name: str
    points: Float  # [P, 2] metres, on the unrolled base head
    width_m: float  # from the bottom of the furrow to half its depth
    depth_m: float  # at full action, in middle age
    actions: tuple[tuple[str, float], ...]  # what causes it, and how much of it
    bulge: float = 0.45  # height beside the furrow, as a share of the depth


@lru_cache(maxsize=1)
def folds() -> tuple[_Fold, ...]:
    """List every fold of the face, both sides."""
    marks = _unroll(open_head().topology.at_landmarks(open_head().base_neutral).numpy())
    made: list[_Fold] = []
    for side in ("Right", "Left"):
        sign = -1.0 if side == "Right" else 1.0

        def at(number: int, x: float = 0.0, y: float = 0.0, side: str = side, sign: float = sign) -> Float:
            """Return a landmark, by its number on the subject's right, moved outwards and up by millimetres."""
            point = marks[number if side == "Right" else _LEFT_OF[number]]
            return point + np.asarray([sign * x, y], np.float32) * 1e-3

        smile = (f"mouthSmile{side}", 1.0), (f"noseSneer{side}", 0.7), (f"mouthUpperUp{side}", 0.5)
        line = np.stack([at(129, 3, 3), at(203, 2), at(206, 2), at(216, 1), at(212, 0, -2)])
        made.append(_Fold(f"nasolabial{side}", line, 0.0042, 0.0026, smile, 0.6))
        dimple = np.stack([at(61, 11, 5), at(61, 13, -3)])
        dimples = (f"mouthDimple{side}", 0.9), (f"mouthSmile{side}", 0.6)
        made.append(_Fold(f"dimple{side}", dimple, 0.0034, 0.0016, dimples, 0.3))
        squint = (f"eyeSquint{side}", 0.6), (f"cheekSquint{side}", 0.6), (f"mouthSmile{side}", 0.6)
        for number, (rise, spread) in enumerate(((9, 2), (1, 0), (-8, -2))):
            foot = np.stack([at(33, 6, spread), at(33, 12, spread + 0.4 * rise), at(33, 20, spread + rise)])
            made.append(_Fold(f"crowsFoot{number}{side}", foot, 0.0022, 0.0011, squint, 0.5))
        frown = np.stack([at(107, -3, 8), at(107, -4, 0), at(107, -4, -6)])
        made.append(_Fold(f"glabella{side}", frown, 0.003, 0.0016, ((f"browDown{side}", 1.0),), 0.6))
        marionette = np.stack([at(61, 3, -3), at(61, 6, -12), at(61, 7, -20)])
        down = (f"mouthFrown{side}", 1.0), (f"mouthStretch{side}", 0.5)
        made.append(_Fold(f"marionette{side}", marionette, 0.0038, 0.0016, down, 0.4))
    across = marks[[105, 66, 107, 9, 336, 296, 334]]
    raised = ("browInnerUp", 0.7), ("browOuterUpLeft", 0.4), ("browOuterUpRight", 0.4)
    for number, rise in enumerate((0.014, 0.023, 0.032)):
        # Forehead lines sag towards the middle and run out before the temples.
        line = across + np.asarray([0.0, rise], np.float32)
        line[[0, 6], 1] -= 0.002
        line[:, 0] *= 1.0 - 0.12 * number
        made.append(_Fold(f"forehead{number}", line.astype(np.float32), 0.0030, 0.0016, raised, 0.6))
    return tuple(made)


@lru_cache(maxsize=1)
def fold_profiles() -> Float:
    """Return the profiles on the fine surface [K, W], see `profiles_on`."""
    surface = fine_surface()
    return profiles_on(surface.base, surface.faces.numpy(), surface.regions)


def profiles_on(points: Float, faces: NDArray[np.integer], regions: NDArray[np.uint8]) -> Float:
    """Return the height of the skin over where it would be [K, W], for folds of unit depth; negative in furrows.

    points: [W, 3] the base head on any mesh whose first vertices are the open head's own; faces [G, 3], regions [G].
    """
    top = open_head().topology
    soft = np.zeros(len(points), bool)
    soft[faces[np.isin(regions, region_ids("skin", "eyelids"))].ravel()] = True
    # The edges of lids and lips belong to their neighbours too: a fold must not part what meets.
    soft[np.concatenate([top.lid_contacts.numpy(), top.lip_contacts.numpy()])] = False
    flat = _unroll(points)
    out = []
    for fold in folds():
        distance, along = _to_curve(flat, fold.points)
        runs_out = np.clip(np.minimum(along, 1.0 - along) / 0.18, 0.0, 1.0)
        x = distance / fold.width_m
        shape = -np.exp(-(x**2)) + fold.bulge * np.exp(-((x - 2.1) ** 2) / 0.9)
        out.append(np.where(soft, shape * runs_out * (3.0 - 2.0 * runs_out) * runs_out, 0.0))
    return np.asarray(out, np.float32)


def fold_depths(expression: NDArray[np.floating], age: float, strength: NDArray[np.floating]) -> Float:
    """Map codes [N, 52] to depths [N, K], metres, 0 at rest; `strength` [K] is how much this person folds there."""
    # A child's full skin springs back: a tenth of a grown-up's furrow; an elder's is twice as deep.
    ripeness = np.interp(age, (0, 6, 18, 40, 80), (0.15, 0.3, 0.6, 1.0, 2.0))
    out = np.zeros((len(expression), len(folds())), np.float32)
    for k, fold in enumerate(folds()):
        cause = sum(share * expression[:, index(name)] for name, share in fold.actions)
        out[:, k] = fold.depth_m * ripeness * strength[k] * np.clip(cause, 0.0, 1.4)
    return out


def _unroll(points: Float) -> Float:
    """Map [..., 3] canonical to [..., 2] metres on a cylinder around the skull: distances over the face, roughly."""
    turn = np.arctan2(points[..., 0], points[..., 2] - AXIS_Z)
    return np.stack([RADIUS_M * turn, points[..., 1]], -1).astype(np.float32)


def _to_curve(points: Float, curve: Float) -> tuple[Float, Float]:
    """Return the distance [W] of points [W, 2] to a polyline [P, 2], and the nearest place along it [W], 0 to 1."""
    best, place = np.full(len(points), np.inf), np.zeros(len(points))
    lengths = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    starts = np.r_[0.0, np.cumsum(lengths)]
    for i, length in enumerate(lengths):
        way = (curve[i + 1] - curve[i]) / length
        t = np.clip((points - curve[i]) @ way, 0.0, length)
        distance = np.linalg.norm(points - curve[i] - t[:, None] * way, axis=1)
        nearer = distance < best
        best, place = np.where(nearer, distance, best), np.where(nearer, starts[i] + t, place)
    return best, place / starts[-1]
