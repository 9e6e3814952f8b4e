# SPDX-License-Identifier: Apache-2.0
"""The reference rasteriser: plain, vectorised torch, on any device, differentiable in the vertices.

Visibility is found without gradients; the barycentric coordinates and the depth of the winning triangle are
then recomputed from its vertices, so gradients flow through them (but not through silhouettes).
"""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor

from .fragments import EMPTY_FACE, NEAR_M, SNAP_LIMIT, SUBPIXEL_BITS, Fragments, check_inputs

STEPS: Final = 1 << SUBPIXEL_BITS
PAIRS_PER_CHUNK: Final = 1 << 20
"""(triangle, pixel) pairs tested at a time: about 150 MB of temporaries."""
NO_FACE: Final = torch.iinfo(torch.int32).max


def rasterise(vertices_px: Tensor, faces: Tensor, height: int, width: int, *, cull_back: bool) -> Fragments:
    """Draw triangle meshes that share one topology.

    vertices_px: [B, V, 3] float (x px, y px, z camera depth in metres), pixel centres at +0.5. faces: [F, 3]
    integer. cull_back: drop triangles whose vertices do not run counter-clockwise as seen in the picture,
    i.e. whose normal (b - a) x (c - a) in camera space points away from the camera.

    Returns Fragments of shape [B, height, width]; `bary` and `depth` have the dtype of the vertices and carry
    their gradient. Of triangles at equal depth the lowest index wins, so the result depends on nothing but
    the input. Triangles with a vertex at z <= NEAR_M, or not finite, or without area on the sub-pixel grid,
    are dropped. Raises ValueError on wrong shapes, types, or indices.
    """
    check_inputs(vertices_px, faces, height, width)
    faces = faces.long()
    still = vertices_px.detach()
    fixed = _snapped(still[..., :2])
    usable = torch.isfinite(still).all(-1) & (still[..., 2] > NEAR_M)
    triangles = _candidates(fixed, usable, faces, height, width, cull_back)
    inverse_z = still[triangles.image[:, None], faces[triangles.face], 2].reciprocal()
    face = _nearest_faces(triangles, inverse_z, len(still), height, width)

    pixel = torch.nonzero(face != EMPTY_FACE).squeeze(1)
    image = pixel // (height * width)
    corner = (image * still.shape[1])[:, None] + faces[face[pixel].long()]
    centre = torch.stack((pixel % width, pixel // width % height), dim=-1) * STEPS + STEPS // 2
    points = vertices_px.flatten(0, 1)[corner]
    edges = _edge_values(fixed.flatten(0, 1)[corner], centre).to(points.dtype)
    if points.requires_grad:
        # The exact integers give the value, the float expression only its derivative.
        moving = _edge_values(points[..., :2] * STEPS, centre.to(points.dtype))
        edges = edges + (moving - moving.detach())
    weights = edges * points[..., 2].reciprocal()
    total = _sum(weights)

    shape = (len(still), height, width)
    bary = vertices_px.new_zeros(len(face), 3).index_copy(0, pixel, weights / total[:, None])
    depth = vertices_px.new_full((len(face),), torch.inf).index_copy(0, pixel, _sum(edges) / total)
    return Fragments(face.view(shape), bary.view(*shape, 3), depth.view(shape), len(faces))


class _Candidates(NamedTuple):
    """The N triangles that may cover a pixel centre, ordered by image, then by face."""

    image: Tensor
    """[N] int64: position in the batch."""
    face: Tensor
    """[N] int64: index of the face."""
    corners: Tensor
    """[N, 3, 2] int64, grid steps."""
    sign: Tensor
    """[N] int64: +1 or -1, the sign of the area in the picture (negative: faces the camera)."""
    low: Tensor
    """[N, 2] int64: first pixel (x, y) of the bounding box, clipped to the picture."""
    columns: Tensor
    """[N] int64: columns of the clipped bounding box."""
    pixels: Tensor
    """[N] int64: pixels of the clipped bounding box."""


def _snapped(xy_px: Tensor) -> Tensor:
    """Pixel coordinates [..., 2] float -> int64 steps of the sub-pixel grid (anything where not finite)."""
    steps = torch.round(xy_px * STEPS).clamp(-SNAP_LIMIT, SNAP_LIMIT)
    return torch.nan_to_num(steps).long()


def _edge_values(corners: Tensor, point: Tensor) -> Tensor:
    """Edge functions of triangles at points, up to the sign of the triangle's area.

    corners: [N, 3, 2], point: [N, 2]. Returns [N, 3]: entry i is twice the signed area of the triangle that
    has its vertex i replaced by the point; their sum is twice the whole area. Exact for integers.
    """
    x, y = (corners - point[:, None]).unbind(-1)
    following, last = [1, 2, 0], [2, 0, 1]
    return x[:, following] * y[:, last] - y[:, following] * x[:, last]


def _sum(three: Tensor) -> Tensor:
    """[N, 3] -> [N], added from left to right on every device, as the kernels do."""
    return three[:, 0] + three[:, 1] + three[:, 2]


def _candidates(fixed: Tensor, usable: Tensor, faces: Tensor, height: int, width: int, cull_back: bool) -> _Candidates:
    """Set up the triangles worth testing. fixed: [B, V, 2] int64 grid steps, usable: [B, V] bool."""
    corners = fixed[:, faces]
    ab, ac = corners[..., 1, :] - corners[..., 0, :], corners[..., 2, :] - corners[..., 0, :]
    area = ab[..., 0] * ac[..., 1] - ab[..., 1] * ac[..., 0]

    largest = torch.tensor([width - 1, height - 1], device=fixed.device)
    half = STEPS // 2
    low = ((corners.amin(2) + (half - 1)) >> SUBPIXEL_BITS).clamp(min=0)
    high = torch.minimum((corners.amax(2) - half) >> SUBPIXEL_BITS, largest)
    extent = (high - low + 1).clamp(min=0)
    pixels = extent[..., 0] * extent[..., 1]

    drawn = usable[:, faces].all(-1) & (area < 0 if cull_back else area != 0) & (pixels > 0)
    image, face = at = torch.nonzero(drawn, as_tuple=True)
    return _Candidates(image, face, corners[at], area[at].sign(), low[at], extent[at][:, 0], pixels[at])


def _nearest_faces(triangles: _Candidates, inverse_z: Tensor, images: int, height: int, width: int) -> Tensor:
    """Index of the nearest face under each pixel centre.

    inverse_z: [N, 3] float, of the triangles' corners. Returns [images * height * width] int32, -1 where
    empty.
    """
    direction = triangles.corners[:, [2, 0, 1]] - triangles.corners[:, [1, 2, 0]]
    dx, dy = (direction * triangles.sign[:, None, None]).unbind(-1)
    is_top_left = (dy < 0) | ((dy == 0) & (dx > 0))
    threshold = 1 - is_top_left.long()

    depth = inverse_z.new_full((images * height * width,), torch.inf)
    nearest = torch.full_like(depth, NO_FACE, dtype=torch.int32)
    end = torch.cumsum(triangles.pixels, 0)
    begin = end - triangles.pixels
    total = int(end[-1]) if len(end) else 0
    for start in range(0, total, PAIRS_PER_CHUNK):
        stop = min(start + PAIRS_PER_CHUNK, total)
        in_chunk = (end.clamp(max=stop) - begin.clamp(min=start)).clamp(min=0)
        triangle = torch.repeat_interleave(in_chunk, output_size=stop - start)
        rank = torch.arange(start, stop, device=depth.device) - begin[triangle]
        columns = triangles.columns[triangle]
        offset = torch.stack((rank % columns, rank // columns), dim=-1)
        xy = triangles.low[triangle] + offset
        centre = xy * STEPS + STEPS // 2
        edges = _edge_values(triangles.corners[triangle], centre) * triangles.sign[triangle, None]

        covered = torch.nonzero((edges >= threshold[triangle]).all(1)).squeeze(1)
        triangle, xy, edges = triangle[covered], xy[covered], edges[covered].to(depth.dtype)
        weights = edges * inverse_z[triangle]
        pair_depth = _sum(edges) / _sum(weights)
        pixel = (triangles.image[triangle] * height + xy[:, 1]) * width + xy[:, 0]

        nearer = depth.scatter_reduce(0, pixel, pair_depth, "amin")
        nearest[nearer < depth] = NO_FACE
        winner = pair_depth == nearer[pixel]
        nearest.scatter_reduce_(0, pixel[winner], triangles.face[triangle[winner]].int(), "amin")
        depth = nearer
    return nearest.masked_fill_(nearest == NO_FACE, EMPTY_FACE)
