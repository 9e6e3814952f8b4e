# SPDX-License-Identifier: Apache-2.0
"""Which point of the surface every texel of a texture shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from reenact.head.head_model import head_model
from reenact.head.model import Float, ParametricHead
from reenact.rendering import rasterise

from .atlas import Atlas, head_atlas


@dataclass(frozen=True)
class Texels:
    """The N texels of a texture of S x S px that show the detailed surface."""

    size: int  # S
    where: NDArray[np.int64]  # [N] row S + column
    face: NDArray[np.int64]  # [N] triangle of the detailed mesh
    corners: NDArray[np.int64]  # [N, 3] its vertices
    bary: Float  # [N, 3]
    region: NDArray[np.uint8]  # [N] index into heads.regions.REGIONS
    area_px: Float  # [G] of each triangle of the detailed mesh in the texture, square texels
    mirrored_px: Float  # [N, 2] x right, y down: the same place on the other side of the head; NaN where there is none

    def __len__(self) -> int:
        return len(self.where)

    def carry(self, values: Float) -> Float:
        """What belongs to the vertices of the detailed mesh, [V, C] -> [N, C]."""
        # A third of the time of picking corner by corner.
        starts = np.arange(0, self.corners.size + 1, 3, dtype=np.int32)
        shape = len(self), len(values)
        return csr_matrix((self.bary.ravel(), self.corners.ravel().astype(np.int32), starts), shape) @ values

    def picture(self, values: NDArray) -> NDArray:
        """[N, C] -> [S, S, C], or [N] -> [S, S]; 0 between the islands."""
        out = np.zeros((self.size**2, *values.shape[1:]), values.dtype)
        out[self.where] = values
        return out.reshape(self.size, self.size, *values.shape[1:])

    def taken(self, picture: NDArray) -> NDArray:
        """The inverse of `picture`."""
        return picture.reshape(self.size**2, *picture.shape[2:])[self.where]


def texels_of(model: ParametricHead, size: int) -> Texels:
    """The texels of a texture of size x size px in the layout of head_atlas."""
    coarse, detailed = head_atlas(model), head_model(model).levels[2]
    fine = coarse.divided().divided()
    faces = detailed.faces.numpy()
    face, bary = _drawn(fine, size)
    where = np.flatnonzero(face >= 0)
    a, b, c = (fine.pixels(size)[fine.faces[:, i]] for i in range(3))
    area = 0.5 * np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])
    chosen = face[where]
    return Texels(
        size, where, chosen, faces[chosen], bary[where], detailed.regions.numpy()[chosen], area.astype(np.float32),
        _mirrored(model, coarse, size)[where],
    )  # fmt: skip


def _drawn(atlas: Atlas, size: int) -> tuple[NDArray[np.int64], Float]:
    """Triangle [S S] (-1: none) and barycentric coordinates [S S, 3] of every texel."""
    flat = np.concatenate([atlas.pixels(size), np.ones((len(atlas.uv), 1), np.float32)], axis=1)
    drawn = rasterise(torch.from_numpy(flat)[None], torch.from_numpy(atlas.faces), size, size, cull_back=False)
    return drawn.face.flatten().numpy().astype(np.int64), drawn.bary.reshape(-1, 3).numpy()


def _mirrored(model: ParametricHead, atlas: Atlas, size: int) -> Float:
    """[S S, 2] px of each texel's place on the other side, NaN where the mesh has no such triangle."""
    top = model.topology
    faces = top.faces.tolist()
    number = {tuple(sorted(face)): i for i, face in enumerate(faces)}
    partner = np.full((len(faces), 3), -1, np.int64)  # place in the atlas of each corner's mirror image
    for i, face in enumerate(top.mirror[top.faces].tolist()):
        other = number.get(tuple(sorted(face)))
        if other is not None:
            at = {int(v): int(t) for v, t in zip(faces[other], atlas.faces[other], strict=True)}
            partner[i] = [at[v] for v in face]
    face, bary = _drawn(atlas, size)
    places = atlas.pixels(size)[partner[face]]
    places[(partner[face] < 0) | (face < 0)[:, None]] = np.nan
    return (places * bary[..., None]).sum(axis=1).astype(np.float32)
