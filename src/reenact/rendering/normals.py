# SPDX-License-Identifier: Apache-2.0
"""Vertex normals, and normal maps as pictures."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from reenact.head.mesh import summed_normals
from reenact.head.sparse import Sparse

from .backend import Backend, choose
from .fragments import check_faces


def vertex_normals(vertices: Tensor, faces: Tensor, backend: Backend = "auto") -> Tensor:
    """Unit normals at the vertices: the mean of the adjacent faces' normals, weighted by their areas.

    vertices: [B, V, 3] or [V, 3] float, any right-handed frame and unit. faces: [F, 3] integer,
    counter-clockwise from outside. Returns the same shape and frame as the vertices, pointing outwards; 0 at
    vertices without a face. Differentiable with the torch backend. Raises ValueError on faces that do not
    fit.
    """
    check_faces(faces, vertices.shape[-2])
    batched = vertices.reshape(-1, *vertices.shape[-2:])
    if choose(backend, vertices) == "warp":
        from . import normals_warp

        total = normals_warp.summed_normals(batched, faces)
    else:
        total = summed_normals(batched, faces.long())
    return _unit(total).view(vertices.shape)


class VertexNormals:
    """`vertex_normals` of one mesh for a fit that takes many steps: products of sparse matrices, four times as fast.

    Args:
        faces: [F, 3] integer, counter-clockwise from outside.
        count: V, of vertices.

    Raises:
        ValueError: the faces do not fit.
    """

    def __init__(self, faces: Tensor, count: int) -> None:
        check_faces(faces, count)
        a, b, c = faces.cpu().numpy().astype(np.int64).T
        rows, ones = np.arange(len(a)), np.ones(len(a))

        def difference(to: np.ndarray) -> Sparse:
            entries = np.concatenate([ones, -ones]), (np.tile(rows, 2), np.concatenate([to, a]))
            return Sparse(csr_matrix(entries, (len(a), count)))

        self._edges = difference(b), difference(c)
        corners = np.concatenate([a, b, c]), np.tile(rows, 3)
        self._sum = Sparse(csr_matrix((np.tile(ones, 3), corners), (count, len(a))))

    def __call__(self, vertices: Tensor) -> Tensor:
        """[..., V, 3] float32 -> unit normals [..., V, 3], 0 at vertices without a face; differentiable."""
        first, second = (edge @ vertices for edge in self._edges)
        return _unit(self._sum @ torch.linalg.cross(first, second))


def _unit(summed: Tensor) -> Tensor:
    # Areas of small faces in square metres are less than normalize's own floor of 1e-12.
    return torch.nn.functional.normalize(summed, dim=-1, eps=torch.finfo(summed.dtype).tiny)


def normals_to_picture(normals: Tensor) -> np.ndarray:
    """Camera-space normals -> uint8 RGB [H, W, 3] for people to look at.

    normals: [H, W, 3] unit, OpenCV axes (x right, y down, z away), 0 where empty. R = +x, right; G = -y, UP;
    B = -z, towards the camera; each -1..1 over 0..255. Empty pixels are black, which no normal is.
    """
    shown = normals.detach().cpu().numpy()  # a small picture: waking torch's threads for it takes longer than the work
    coded = shown * np.asarray((1.0, -1.0, -1.0), shown.dtype)
    coded += 1.0
    coded *= 127.5
    np.rint(coded, out=coded)
    x, y, z = np.moveaxis(shown == 0.0, -1, 0)
    coded[x & y & z] = 0.0
    return coded.astype(np.uint8)


def picture_to_normals(picture: np.ndarray) -> Tensor:
    """The inverse of normals_to_picture, to within its 8 bits.

    picture: uint8 RGB [H, W, 3]. Returns float32 [H, W, 3], camera space, unit length, 0 where the picture is
    black.
    """
    coded = torch.from_numpy(np.ascontiguousarray(picture))
    display = coded.float() / 127.5 - 1.0
    normals = torch.nn.functional.normalize(display * display.new_tensor((1.0, -1.0, -1.0)), dim=-1)
    return normals.masked_fill((coded == 0).all(-1, keepdim=True), 0.0)
