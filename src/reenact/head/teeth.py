# SPDX-License-Identifier: Apache-2.0
"""Single teeth, painted onto the smooth strips that the head has for them."""

from __future__ import annotations

import numpy as np

from .model import Float, Int
from .regions import region_ids
from .shape import HeadShape
from .smoothstep import smoothstep

# Crown widths of adults from the central incisor to the second molar (Wheeler's Dental Anatomy), metres.
UPPER_WIDTHS_M = (0.0085, 0.0065, 0.0075, 0.0070, 0.0070, 0.0100, 0.0090)
LOWER_WIDTHS_M = (0.0050, 0.0055, 0.0070, 0.0070, 0.0070, 0.0110, 0.0105)
_CROWN_M = 0.0105
_CUT_M = np.asarray([0.0, 0.0007, 0.0001, 0.0005, 0.0006, 0.0006, 0.0006], np.float32)  # shorter than the middle ones
_CORNER_M = 0.0007
_CHEEK, _CHEEK_M = 0.7, 0.030  # share of the light that the cheeks take from the molars; way along the arch
_BESIDE_M = 0.006  # along the arch: reaches the next column of vertices
_ARCH_M = 0.058  # half the length of an adult's arch


def tooth_normals(head: HeadShape) -> tuple[Int, Float]:
    """Vertices of teeth and their unit normals in canonical space, those of the arch: the strips are too coarse."""
    rows, normals = [], []
    for region in region_ids("teeth_upper", "teeth_lower"):
        own = head.topology.region_vertices(region).numpy()
        slope = 2.0 * _bend(head, own) * head.neutral.numpy()[own, 0]
        normal = np.column_stack([-slope, np.zeros_like(slope), np.ones_like(slope)])
        rows.append(own)
        normals.append(normal / np.linalg.norm(normal, axis=1, keepdims=True))
    return np.concatenate(rows), np.concatenate(normals).astype(np.float32)


def _bend(head: HeadShape, rows: Int) -> float:
    """Coefficient of the parabola z(x) through the front of an arch of teeth, 1/m."""
    x, _, z = head.neutral.numpy()[rows].T
    front = z >= np.quantile(z, 0.3)
    return float(np.polyfit(x[front], z[front], 2)[0])


def tooth_places(head: HeadShape) -> Float:
    """[V, 2] for vertices of teeth, 0 for others: signed way along the arch from its middle, height above the biting
    edge; metres of an adult's mouth."""
    out = np.zeros((len(head.neutral), 2), np.float32)
    for region, up in zip(region_ids("teeth_upper", "teeth_lower"), (1.0, -1.0), strict=True):
        rows = head.topology.region_vertices(region).numpy()
        x, y = head.neutral.numpy()[rows, :2].T
        bend = 2.0 * _bend(head, rows)
        # The way along a parabola is its length.
        way = 0.5 * x * np.sqrt(1.0 + (bend * x) ** 2) + np.arcsinh(bend * x) / (2.0 * bend)
        size = np.abs(way).max() / _ARCH_M
        beside = np.abs(way[:, None] - way[None]) < _BESIDE_M * size
        lowest = np.where(beside, up * y[None], np.inf).min(axis=1)
        on_edge = np.flatnonzero(up * y < lowest + 0.25 * _CROWN_M * size)
        on_edge = on_edge[np.argsort(way[on_edge])]
        edge = np.interp(way, way[on_edge], up * y[on_edge])
        out[rows, 0] = way / size
        out[rows, 1] = np.maximum(up * y - edge, 0.0) / size
    return out


def paint_teeth(
    places: Float, widths: tuple[float, ...], enamel: Float, gum: Float, dark: Float, px_per_m: float
) -> Float:
    """[N, 3] unlit colours at places [N, 2] (see tooth_places); `dark` past a tooth's own edge.

    px_per_m: lines are never finer than a pixel.
    """
    along, height = np.abs(places[:, 0]), places[:, 1]
    edges = np.cumsum((0.0, *widths)).astype(np.float32)
    tooth = np.clip(np.searchsorted(edges, along, side="right") - 1, 0, len(widths) - 1)
    width = np.asarray(widths, np.float32)[tooth]
    across = np.clip((along - edges[tooth]) / width, 0.0, 1.0)
    to_gap = np.minimum(across, 1.0 - across) * width
    pixel = 1.0 / px_per_m
    line = max(0.0003, 0.5 * pixel)
    gap = 0.15 * (0.0003 / line) * np.exp(-((to_gap / line) ** 2))
    gap += 0.12 * np.exp(-((to_gap / max(0.0008, pixel)) ** 2)) * smoothstep(0.0020, 0.0, height)
    rounded = 1.0 - 0.07 * (2.0 * across - 1.0) ** 2
    edge = 1.0 - 0.10 * smoothstep(0.0016, 0.0, height)
    corner = 1.0 - _CHEEK * (1.0 - np.exp(-((along / _CHEEK_M) ** 2)))
    white = enamel * (rounded * edge * corner * (1.0 - gap))[:, None]
    cut = _CUT_M[tooth] + _CORNER_M * (2.0 * across - 1.0) ** 4
    white += smoothstep(0.6 * pixel, -0.6 * pixel, height - cut)[:, None] * (dark - white)
    gum_line = _CROWN_M - 0.0020 * (2.0 * across - 1.0) ** 2
    soft = 0.5 * pixel + 0.0002
    share = smoothstep(-soft, soft, height - gum_line)[:, None]
    return ((1.0 - share) * white + share * gum).astype(np.float32)
