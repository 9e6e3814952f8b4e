# SPDX-License-Identifier: Apache-2.0
"""The detailed surface V^s = B(V) of a head, and where offsets may act (paper, section 1).

B is two rounds of Loop subdivision. Static offsets D_g live after the first, dynamic ones D_f before it, on the control
mesh: both reach the surface smoothly, and neither can say more than a monocular estimate can know.

The paper gives the face to D_f alone. Here D_g acts on it too: a wrinkle that is always there, or a nose that the
basis does not hold, is who somebody is. Only D_f is confined, to the face.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from .loop import subdivide
from .model import Topology
from .open import open_head
from .regions import in_regions, region_ids
from .sparse import Sparse

RIGID = ("sclera", "iris", "teeth_upper", "teeth_lower", "eyelashes", "mouth_cavity", "eye_socket", "tongue")
"""Regions without offsets of their own: bone, glass, or never seen well enough. See followers.py."""
_STIFFNESS = {"lips": 2.0, "eyelids": 2.0, "ears": 2.0, "neck": 4.0}
_BEYOND_FACE = 2.0
"""How much harder than a cheek a region is to bend: lips and lids must still meet, a neck's creases are shadows."""


@dataclass(frozen=True, eq=False)
class Level:
    """A mesh between the coarse head and the detailed one, or either of them. N vertices, G triangles.

    Tensors are on the CPU; all subjects of a head model share them, so they are not to be written to.
    """

    matrix: Sparse | None  # [N, M] from the M vertices of the level below; None: the coarse head itself
    faces: Tensor  # [G, 3] int64
    regions: Tensor  # [G] uint8, index into head.regions.REGIONS
    head_weight: Tensor  # [N] float32, see Topology.head_weight
    soft: Tensor  # [N] float32, 1 where a static offset may act, 0 on what is rigid
    face: Tensor  # [N] float32, 1 where a dynamic offset may act, softly to 0 outside the face
    stiffness: Tensor  # [N] float32, of static offsets, 1 on the cheeks

    def __len__(self) -> int:
        return len(self.soft)

    def upsample(self, vertices: Tensor) -> Tensor:
        """[..., M, C] of the level below -> [..., N, C]; differentiable. The coarse level returns what it gets."""
        return vertices if self.matrix is None else self.matrix @ vertices


Levels = tuple[Level, Level, Level]
"""Control mesh, fit mesh, detailed mesh."""


def detailed_levels(topology: Topology) -> Levels:
    """The coarse head and two rounds of subdivision, each with four times the triangles."""
    faces, regions = topology.faces, topology.regions
    weights = torch.stack([topology.head_weight, topology.face_weight])
    levels = [_level(None, faces, regions, *weights)]
    for _ in range(2):
        step = subdivide(faces.numpy(), weights.shape[1])
        faces, regions = torch.from_numpy(step.faces), regions[step.parent]
        weights = torch.from_numpy((step.matrix @ weights.T.numpy()).T.astype(np.float32))
        levels.append(_level(step.matrix, faces, regions, *weights))
    return levels[0], levels[1], levels[2]


def refine(levels: Levels, vertices: Tensor, level: int, fine_offset: Tensor | None = None) -> Tensor:
    """Subdivide [..., V, C] of the control mesh up to a level, 0 to 2; differentiable.

    fine_offset: [..., W, C] added to the mesh of level 1.
    Raises ValueError for a fine offset at level 0.
    """
    if level == 0 and fine_offset is not None:
        raise ValueError("a fine offset acts on the mesh of level 1; this model has level 0")
    for number, finer in enumerate(levels[1 : level + 1]):
        vertices = finer.upsample(vertices)
        if number == 0 and fine_offset is not None:
            vertices = vertices + fine_offset
    return vertices


def _level(matrix: csr_matrix | None, faces: Tensor, regions: Tensor, weight: Tensor, face: Tensor) -> Level:
    soft = torch.ones_like(weight)
    soft[faces[in_regions(regions, *region_ids(*RIGID))]] = 0.0
    stiffness = _BEYOND_FACE + (1.0 - _BEYOND_FACE) * face
    for name, value in _STIFFNESS.items():
        stiffness[faces[in_regions(regions, *region_ids(name))]] = value
    return Level(None if matrix is None else Sparse(matrix), faces, regions, weight, soft, face * soft, stiffness)


@lru_cache(maxsize=1)
def open_levels() -> Levels:
    """The open head's, made once a process."""
    return detailed_levels(open_head().topology)
