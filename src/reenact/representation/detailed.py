# SPDX-License-Identifier: Apache-2.0
"""The detailed surface V^s = B(V) of the open head, and where offsets may act (paper, section 1).

Static offsets D_g act outside the face proper and dynamic offsets D_f inside, with a smooth border (their masks sum to
1 on skin); eyeballs and teeth are rigid and get neither.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, identity
from torch import Tensor

from reenact.heads.model import Float, Topology
from reenact.heads.open import open_head
from reenact.heads.regions import region_ids

from .loop import Int, subdivide

_ROUNDS = 2
_STIFF = ("sclera", "iris", "teeth_upper", "teeth_lower", "eyelashes", "mouth_cavity", "eye_socket", "tongue")


@dataclass(frozen=True)
class DetailedSurface:
    """N_s vertices over V coarse ones."""

    matrix: Tensor  # sparse [N_s, V] float32: B
    faces: Int  # [G, 3]
    regions: NDArray[np.uint8]  # [G] index into heads.regions.REGIONS
    head_weight: Float  # [N_s] see Topology.head_weight
    static_mask: Float  # [N_s] where D_g acts
    dynamic_mask: Float  # [N_s] where D_f acts

    def upsample(self, vertices: Tensor) -> Tensor:
        """[..., V, 3] -> [..., N_s, 3]; differentiable."""
        lead = vertices.shape[:-2]
        flat = vertices.reshape(-1, *vertices.shape[-2:]).permute(1, 0, 2)
        fine = torch.sparse.mm(self.matrix.to(flat.device), flat.reshape(len(flat), -1))
        return fine.reshape(len(fine), -1, 3).permute(1, 0, 2).reshape(*lead, len(fine), 3)


def detailed_surface(topology: Topology, rounds: int = _ROUNDS) -> DetailedSurface:
    """Upsample a head's topology; each round has four times the triangles."""
    faces = np.asarray(topology.faces, np.int64)
    regions = topology.regions
    count = len(topology.head_weight)
    if rounds < 1:
        raise ValueError(f"got {rounds} rounds; want at least one")
    matrix = identity(count, format="csr")
    for _ in range(rounds):
        step = subdivide(faces, count)
        matrix = step.matrix @ matrix
        faces, regions, count = step.faces, regions[step.parent], int(step.faces.max()) + 1
    coo = coo_matrix(matrix)
    places = torch.from_numpy(np.stack([coo.row, coo.col]).astype(np.int64))
    sparse = torch.sparse_coo_tensor(
        places, torch.from_numpy(coo.data.astype(np.float32)), coo.shape, check_invariants=True
    )
    sparse = sparse.coalesce()
    face = (matrix @ topology.face_weight).astype(np.float32)
    soft = np.ones(count, np.float32)
    soft[np.unique(faces[np.isin(regions, region_ids(*_STIFF))])] = 0.0
    dynamic = face * soft
    static = (1.0 - face) * soft
    weight = (matrix @ topology.head_weight).astype(np.float32)
    return DetailedSurface(sparse, faces, regions, weight, static, dynamic)


@lru_cache(maxsize=1)
def open_surface() -> DetailedSurface:
    """The open head's, made once a process."""
    return detailed_surface(open_head().topology)
