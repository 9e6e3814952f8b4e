# SPDX-License-Identifier: Apache-2.0
"""The features of a subject that the vertex MLP takes: every face vertex of their neutral detailed mesh.

All of it is measured against the base adult's face of the same size, in a frame of each vertex's own (normal, and two
directions along the skin), so that a turned cheek is no other cheek.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from reenact.head.levels import open_levels
from reenact.head.open import open_head
from reenact.head.regions import REGIONS
from reenact.rendering import vertex_normals
from reenact.subject.offsets import Spread

_ROUNDS = (1, 4, 16)  # of smoothing, at which a surface's bumps are told apart by size
_SKETCH = 96  # vertices that tell what the whole face is like
FEATURES = 3 + 3 + len(_ROUNDS) + len(REGIONS) + 3
"""Numbers of each vertex."""
WHOLE = 3 * _SKETCH + 1
"""Numbers of the whole face."""


@dataclass(frozen=True)
class SubjectFeatures:
    """B people; N face vertices of the fit mesh (`face_rows`)."""

    vertices: Tensor  # [B, N, FEATURES]
    whole: Tensor  # [B, WHOLE]
    frames: Tensor  # [B, N, 3, 3] columns: along the skin, along the skin, normal
    size: Tensor  # [B] of the face, as a share of the base adult's


def subject_features(neutral: Tensor) -> SubjectFeatures:
    """neutral: [B, W, 3] whole fit meshes at rest, canonical, metres. Differentiable, on any device."""
    known = _known().to(neutral.device)
    rows, faces = known.rows, known.faces
    face = neutral[:, rows]
    size = _spread_of(face) / _spread_of(known.base[rows])
    scaled = neutral / size[:, None, None]
    normals = vertex_normals(scaled, faces, "torch")
    frames = tangent_frames(normals[:, rows])
    moved = scaled[:, rows] - known.base[rows]
    moved = moved - moved.mean(1, keepdim=True)
    rise = torch.einsum("nji,bnj->bni", known.frames, moved) / 0.005  # 5 mm count as one
    leans = torch.einsum("nji,bnj->bni", known.frames, normals[:, rows])
    bumps = []
    for rounds, base in zip(_ROUNDS, known.bumps, strict=True):
        bumps.append(((_bump(known.spread, scaled, normals, rounds)[:, rows] - base[rows]) / 0.0005).clamp(-4.0, 4.0))
    places = (known.base[rows] / 0.05).expand(len(neutral), -1, -1)
    kinds = known.kinds.expand(len(neutral), -1, -1)
    vertices = torch.cat([rise, leans, torch.stack(bumps, -1), kinds, places], -1)
    whole = torch.cat([rise[:, known.sketch].flatten(1), 4.0 * size.log()[:, None]], 1)
    return SubjectFeatures(vertices, whole, frames, size)


def tangent_frames(normals: Tensor) -> Tensor:
    """[..., 3] unit normals -> [..., 3, 3], columns: to the subject's left along the skin, up along it, normal."""
    across = torch.zeros_like(normals)
    across[..., 0] = 1.0
    upwards = torch.zeros_like(normals)
    upwards[..., 1] = 1.0
    # Where the skin faces sideways "to the left" is no direction along it, and up is.
    side = torch.nn.functional.normalize(torch.linalg.cross(upwards, normals), dim=-1, eps=1e-4)
    up = torch.linalg.cross(normals, side)
    return torch.stack([side, up, normals], -1)


@lru_cache(maxsize=1)
def face_rows() -> Tensor:
    """[N] int64 vertices of the fit mesh on which dynamic offsets act."""
    return torch.nonzero(open_levels()[1].face > 0.0)[:, 0]


@dataclass
class _Known:
    rows: Tensor  # [N]
    faces: Tensor  # [G, 3]
    base: Tensor  # [W, 3]
    frames: Tensor  # [N, 3, 3]
    bumps: list[Tensor]  # [W] each
    kinds: Tensor  # [N, R]
    sketch: Tensor  # [S] into the N
    spread: Spread

    def to(self, device: torch.device) -> _Known:
        if self.rows.device == device:
            return self
        moved = {k: getattr(self, k).to(device) for k in ("rows", "faces", "base", "frames", "kinds", "sketch")}
        return _Known(**moved, bumps=[b.to(device) for b in self.bumps], spread=self.spread)


@lru_cache(maxsize=1)
def _known() -> _Known:
    fit, rows = open_levels()[1], face_rows()
    base, faces = fit.upsample(open_head().base_neutral), fit.faces
    normals, spread = vertex_normals(base[None], faces, "torch"), Spread.of(fit)
    bumps = [_bump(spread, base[None], normals, rounds)[0] for rounds in _ROUNDS]
    kinds = torch.zeros(len(base), len(REGIONS))
    kinds[faces.flatten(), fit.regions.long().repeat_interleave(3)] = 1.0
    return _Known(
        rows, faces, base, tangent_frames(normals[0, rows]), bumps, kinds[rows], _far_apart(base[rows], _SKETCH), spread
    )


def _bump(spread: Spread, points: Tensor, normals: Tensor, rounds: int) -> Tensor:
    """[B, W] metres by which the skin stands out over its smoothed self."""
    return ((points - spread.smooth(points, rounds)) * normals).sum(-1)


def _spread_of(points: Tensor) -> Tensor:
    return (points - points.mean(-2, keepdim=True)).pow(2).sum(-1).mean(-1).sqrt()


def _far_apart(points: Tensor, count: int) -> Tensor:
    """[count] rows of [N, 3] points, each as far from those before as can be."""
    chosen = [0]
    away = (points - points[0]).norm(dim=-1)
    for _ in range(count - 1):
        chosen.append(int(away.argmax()))
        away = torch.minimum(away, (points - points[chosen[-1]]).norm(dim=-1))
    return torch.tensor(chosen)
