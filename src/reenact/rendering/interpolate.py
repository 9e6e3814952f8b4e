# SPDX-License-Identifier: Apache-2.0
"""What belongs to vertices and faces, carried to pixels: the torch reference, and the choice of backend."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from reenact.head.sparse import Sparse

from .backend import Backend, choose
from .fragments import EMPTY_FACE, Fragments, check_faces


def interpolate(attributes: Tensor, faces: Tensor, fragments: Fragments, backend: Backend = "auto") -> Tensor:
    """Interpolate attributes linearly over each triangle, with the perspective taken into account.

    attributes: [B, V, C] or, shared by the batch, [V, C] float. faces: [F, 3] integer, indices into V; it may
    be another index list than the one that was drawn, as for corner UVs, as long as triangle f means the same
    triangle. Returns [B, H, W, C], 0 where nothing was drawn; differentiable in the attributes and in
    `fragments.bary` with the torch backend, which "auto" picks when either wants a gradient. Raises
    ValueError on shapes that do not fit.
    """
    attributes = _checked(attributes, faces, fragments)
    if choose(backend, attributes, fragments.bary) == "warp":
        from . import interpolate_warp

        return interpolate_warp.interpolate(attributes, faces, fragments)
    return _interpolate_torch(attributes, faces, fragments)


def interpolate_directions(
    directions: Tensor, faces: Tensor, fragments: Fragments, backend: Backend = "auto"
) -> Tensor:
    """As interpolate, for vectors whose length means nothing: the result has unit length, 0 where nothing was
    drawn.

    directions: [B, V, 3] or [V, 3] float. Returns [B, H, W, 3].
    """
    directions = _checked(directions, faces, fragments)
    if directions.shape[2] != 3:
        raise ValueError(f"directions need 3 components, got {directions.shape[2]}")
    if choose(backend, directions, fragments.bary) == "warp":
        from . import interpolate_warp

        return interpolate_warp.interpolate_directions(directions, faces, fragments)
    return torch.nn.functional.normalize(_interpolate_torch(directions, faces, fragments), dim=-1)


def face_labels(labels: Tensor, empty: int, fragments: Fragments, backend: Backend = "auto") -> Tensor:
    """The label of the face under each pixel.

    labels: [F] uint8. empty: the label of pixels without a face. Returns [B, H, W] uint8. Raises ValueError
    unless there is one uint8 label a face.
    """
    if labels.shape != (fragments.face_count,) or labels.dtype != torch.uint8:
        raise ValueError(f"labels must be uint8 [{fragments.face_count}], got {labels.dtype} {list(labels.shape)}")
    if choose(backend, labels) == "warp":
        from . import interpolate_warp

        return interpolate_warp.face_labels(labels, empty, fragments)
    # Index -1, no face, picks the label appended for it.
    return torch.cat((labels, labels.new_tensor([empty])))[fragments.face]


class PixelInterpolation:
    """`interpolate` of one rasterisation for a fit that takes many steps: one product with a sparse matrix.

    Not differentiable in the fragments, as a rasterisation that is kept for some steps is not.

    Args:
        faces: [F, 3] integer, the faces that were rasterised.
        fragments: of B pictures of H x W pixels.
        count: V, of vertices.
        weights: [B, H, W] of each pixel; None for 1.
        block: side of the squares of pixels whose weighted sums are made at once, px; H and W are multiples of it.

    Raises:
        ValueError: shapes that do not fit.
    """

    def __init__(
        self, faces: Tensor, fragments: Fragments, count: int, weights: Tensor | None = None, block: int = 1
    ) -> None:
        check_faces(faces, count)
        if len(faces) != fragments.face_count:
            raise ValueError(f"{fragments.face_count} faces were drawn, but {len(faces)} faces are given")
        batch, height, width = fragments.face.shape
        if height % block or width % block:
            raise ValueError(f"pictures of {width} x {height} px cannot be cut into squares of {block} px")
        self._shape = (batch, height // block, width // block)
        face = fragments.face.cpu().numpy().reshape(-1)
        shown = face != EMPTY_FACE
        if weights is not None:
            shown &= weights.cpu().numpy().reshape(-1) != 0.0
        pixel = np.flatnonzero(shown)
        share = fragments.bary.detach().cpu().numpy().reshape(-1, 3)[pixel]
        if weights is not None:
            share = share * weights.cpu().numpy().reshape(-1, 1)[pixel]
        row = pixel
        if block > 1:
            of, y, x = np.unravel_index(pixel, (batch, height, width))
            row = np.ravel_multi_index((of, y // block, x // block), self._shape)
            order = np.argsort(row, kind="stable")
            row, pixel, share = row[order], pixel[order], share[order]
        corners = faces.cpu().numpy()[face[pixel]] + (pixel // (height * width) * count)[:, None]
        # Pixels come row by row, three entries each: no sorting as from triples.
        rows = batch * self._shape[1] * self._shape[2]
        starts = np.zeros(rows + 1, np.int64)
        starts[1:] = 3 * np.bincount(row, minlength=rows).cumsum()
        matrix = csr_matrix((share.ravel(), corners.ravel().astype(np.int64), starts), (rows, batch * count))
        matrix.sum_duplicates()
        self._matrix = Sparse(matrix)

    def __call__(self, attributes: Tensor) -> Tensor:
        """[B, V, C] float32 -> [B, H / block, W / block, C], 0 where nothing is shown; differentiable."""
        return (self._matrix @ attributes.flatten(0, 1)).view(*self._shape, -1)


def _checked(attributes: Tensor, faces: Tensor, fragments: Fragments) -> Tensor:
    """The attributes as [B or 1, V, C], if they and the faces fit the fragments."""
    batch = len(fragments.face)
    if attributes.ndim == 2:
        attributes = attributes[None]
    if attributes.ndim != 3 or len(attributes) not in (1, batch):
        raise ValueError(f"attributes must be [V, C] or [{batch}, V, C], got {list(attributes.shape)}")
    check_faces(faces, attributes.shape[1])
    if len(faces) != fragments.face_count:
        raise ValueError(f"{fragments.face_count} faces were drawn, but {len(faces)} faces are given")
    return attributes


def _interpolate_torch(attributes: Tensor, faces: Tensor, fragments: Fragments) -> Tensor:
    batch, height, width = fragments.face.shape
    flat_face = fragments.face.flatten()
    pixel = torch.nonzero(flat_face != EMPTY_FACE).squeeze(1)
    corner = faces.long()[flat_face[pixel].long()]
    if len(attributes) > 1:
        corner = corner + (pixel // (height * width) * attributes.shape[1])[:, None]
    weights = fragments.bary.flatten(0, 2)[pixel]
    values = (attributes.flatten(0, 1)[corner] * weights[..., None]).sum(1)
    picture = values.new_zeros(batch * height * width, attributes.shape[2]).index_copy(0, pixel, values)
    return picture.view(batch, height, width, -1)
