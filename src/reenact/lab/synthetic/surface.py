# SPDX-License-Identifier: Apache-2.0
"""The head's mesh, its face divided once more, so that folds have vertices to bend at.

The first V vertices are those of the open head, untouched; the new ones lie on a curved edge between two of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from reenact.head.mesh import cut_faces
from reenact.head.model import Float, Int, ParametricHead, Topology
from reenact.head.open import open_head
from reenact.head.regions import region_ids
from reenact.rendering import vertex_normals

from .light import light_visibility


@dataclass(frozen=True)
class _FineSurface:
    """W = V + M vertices: V of the head, M in the middle of divided edges."""

    faces: Tensor  # [G, 3] int64
    regions: np.ndarray  # [G] uint8 heads.regions labels
    edges: Tensor  # [M, 2] int64, the coarse vertices each new one lies between
    coarse_faces: Tensor  # [F, 3] int64
    base: Float  # [W, 3] the base person, canonical head space
    head_weight: Tensor  # [W] see Topology.head_weight
    ambient: Float  # [W] share of the sky that the base person's vertices see, 0 to 1

    def refine(self, vertices: Tensor) -> Tensor:
        """Refine [N, V, 3] to [N, W, 3]: middles of edges, bulged as the normals at both ends ask (PN triangles)."""
        return _refine(vertices, self.coarse_faces, self.edges)


def _refine(vertices: Tensor, faces: Tensor, edges: Tensor) -> Tensor:
    normals = vertex_normals(vertices, faces, "torch")
    a, b = edges.to(vertices.device).unbind(1)
    along = vertices[:, b] - vertices[:, a]
    rise_a = (along * normals[:, a]).sum(-1, keepdim=True) * normals[:, a]
    rise_b = -(along * normals[:, b]).sum(-1, keepdim=True) * normals[:, b]
    middle = 0.5 * (vertices[:, a] + vertices[:, b]) - 0.125 * (rise_a + rise_b)
    return torch.cat([vertices, middle], 1)


def _divide(top: Topology) -> tuple[Int, np.ndarray, Int]:
    """Divide the face with no crack at its border: faces [G, 3], labels [G], divided edges [M, 2]."""
    soft = top.region_faces(*region_ids("skin", "eyelids", "lips", "neck"))
    wanted = soft & (top.face_weight[top.faces].mean(1) > 0.25)
    coarse = top.faces.numpy()
    middle: dict[tuple[int, int], int] = {}
    count = len(top.head_weight)
    for a, b, c in top.faces[wanted].tolist():
        for edge in ((a, b), (b, c), (c, a)):
            middle.setdefault((min(edge), max(edge)), count + len(middle))
    faces, source = cut_faces(coarse, lambda a, b: middle.get((min(a, b), max(a, b)), -1))
    return faces, top.regions.numpy()[source], np.asarray(list(middle), np.int64)


def _ambient(vertices: Float, faces: Tensor) -> Float:
    """Return the share of the upper and front half space that each vertex sees [W], weighted by the cosine."""
    points = torch.from_numpy(vertices)
    normals = vertex_normals(points[None], faces, "torch")[0]
    directions = 96
    k = np.arange(directions) + 0.5
    polar, turn = np.arccos(1.0 - 2.0 * k / directions), np.pi * (1.0 + 5.0**0.5) * k
    ways = np.stack([np.sin(polar) * np.cos(turn), np.cos(polar), np.sin(polar) * np.sin(turn)], 1)
    seen, total = torch.zeros(len(points)), torch.full((len(points),), 1e-6)
    for way in ways.astype(np.float32):
        lit = light_visibility(points[None], points[None], faces, torch.from_numpy(way)[None], 192, 0.002)[0]
        cosine = (normals @ torch.from_numpy(way)).clamp(min=0.0)
        seen += lit * cosine
        total += cosine
    return (seen / total).numpy()


@lru_cache(maxsize=1)
def fine_surface() -> _FineSurface:
    """Make the fine mesh of the open head, once a process (about a second)."""
    head: ParametricHead = open_head()
    top = head.topology
    faces, regions, edges = _divide(top)
    fine, coarse, between = torch.from_numpy(faces), top.faces, torch.from_numpy(edges)
    base = _refine(head.base_neutral[None], coarse, between)[0].numpy()
    weight = torch.cat([top.head_weight, top.head_weight[between].mean(1)])
    return _FineSurface(fine, regions, between, coarse, base, weight, _ambient(base, fine))
