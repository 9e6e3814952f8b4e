# SPDX-License-Identifier: Apache-2.0
"""The exact truth about a portrait: what each pixel centre shows, and where every vertex and landmark is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from reenact.head.open import open_head
from reenact.rendering import (
    Camera,
    face_labels,
    interpolate,
    interpolate_directions,
    rasterise,
    vertex_normals,
    visible_vertices,
)

from .layers import Mesh, Scenery
from .skin import CLOTH as CLOTH_CHANNEL
from .truth_labels import BODY, CLOTH, EMPTY, HAIR, LABELS
from .wardrobe import Wardrobe

_SEEN_M = 0.002  # a vertex that far behind the drawn surface still counts as seen
_HAIR_FROM = 0.5  # cover from which on a pixel is hair
_TRUE_LAYER = 1  # the shell whose surface stands for all of the hair


@dataclass(frozen=True)
class Truth:
    """See SyntheticFrames, whose fields these are."""

    normals: np.ndarray
    depth: np.ndarray
    labels: np.ndarray
    vertices: np.ndarray
    visible: np.ndarray
    landmarks: np.ndarray
    landmarks_visible: np.ndarray

    @staticmethod
    def joined(parts: Sequence[Truth]) -> dict[str, np.ndarray]:
        """Several batches' truths as one."""
        return {name: np.concatenate([getattr(p, name) for p in parts]) for name in Truth.__dataclass_fields__}


def truth_of(mesh: Mesh, worn: list[Wardrobe], cameras: list[Camera], hair_cover: Tensor) -> Truth:
    """Truth maps of posed people.

    cameras: of the pictures' size. hair_cover: [N, H, W, 1] share of each pixel that hair hides.
    """
    kit = mesh.stock
    scenery = Scenery([], cameras)
    side = scenery.size
    projected = scenery.project(mesh.vertices)
    drawn = rasterise(projected, kit.faces, side, side, cull_back=True)
    labels = face_labels(kit.regions, EMPTY, drawn)
    normals = interpolate_directions(mesh.normals, kit.faces, drawn)
    depth = drawn.depth
    place = interpolate(kit.corners, kit.corner_faces, drawn)
    sheets = torch.stack([w.sheet[CLOTH_CHANNEL : CLOTH_CHANNEL + 1] for w in worn]).to(place.device)
    cloth = grid_sample(sheets, place, padding_mode="border", align_corners=False)[:, 0] > 0.5
    labels = torch.where(labels == BODY, torch.where(cloth, CLOTH, LABELS.index("neck")).to(torch.uint8), labels)

    shell = mesh.hair[:, _TRUE_LAYER].contiguous()
    over = rasterise(scenery.project(shell), kit.hair_faces, side, side, cull_back=False)
    hairy = (hair_cover[..., 0] > _HAIR_FROM) & (over.face >= 0)
    lie = interpolate_directions(vertex_normals(shell, kit.hair_faces), kit.hair_faces, over)
    # Both sides of a shell are seen: its normal is the one that looks at the camera.
    spot = interpolate(shell, kit.hair_faces, over)
    lie = torch.where((lie * spot).sum(-1, keepdim=True) > 0, -lie, lie)
    normals = torch.where(hairy[..., None], lie, normals)
    depth = torch.where(hairy, torch.minimum(over.depth, depth), depth)
    is_cloth = torch.tensor([w.hair_paint.cloth for w in worn], device=labels.device)[:, None, None]
    labels = torch.where(hairy, torch.where(is_cloth, CLOTH, HAIR).to(torch.uint8), labels)

    top = open_head().topology
    count = len(top.head_weight)
    head = mesh.vertices[:, :count]
    marks = torch.from_numpy(top.landmarks(head.cpu().numpy())).float().to(head.device)
    points = scenery.project(torch.cat([head, marks], 1))
    seen = visible_vertices(drawn.depth, points, _SEEN_M)
    image = torch.arange(len(points), device=points.device)[:, None]
    x, y = (points[..., i].long().clamp(0, side - 1) for i in (0, 1))
    seen &= ~hairy[image, y, x]
    arrays = (normals, depth, labels, head, seen[:, :count], points[:, count:], seen[:, count:])
    return Truth(*(a.cpu().numpy() for a in arrays))
