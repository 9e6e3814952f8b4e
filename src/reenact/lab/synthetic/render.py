# SPDX-License-Identifier: Apache-2.0
"""Synthetic portraits and the exact truth about them: the way from people and states to pictures.

One code for CPU and CUDA. Pictures are drawn at twice their size and averaged in linear light; the truth is drawn at
the picture's own pixel centres.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.regions import EMPTY
from reenact.rendering import (
    Camera,
    face_labels,
    interpolate,
    interpolate_directions,
    rasterise,
    vertex_normals,
    visible_vertices,
)

from .hair_layer import hair_over
from .layers import BODY, LABELS, Mesh, Scenery, head_layer, opaque_mesh
from .people import SyntheticPerson
from .scene import Scene, background, develop
from .skin import CLOTH
from .wardrobe import Wardrobe, wardrobe_of


@dataclass(frozen=True)
class _Truth:
    """See SyntheticFrames, whose fields these are."""

    normals: np.ndarray
    depth: np.ndarray
    labels: np.ndarray
    vertices: np.ndarray
    visible: np.ndarray
    landmarks: np.ndarray
    landmarks_visible: np.ndarray

    @staticmethod
    def joined(parts: Sequence[_Truth]) -> dict[str, np.ndarray]:
        """Several batches' truths as one."""
        return {name: np.concatenate([getattr(p, name) for p in parts]) for name in _Truth.__dataclass_fields__}


def _truth_of(mesh: Mesh, worn: list[Wardrobe], cameras: list[Camera], hair_cover: Tensor) -> _Truth:
    """Truth maps of posed people.

    cameras: of the pictures' size. hair_cover: [N, H, W, 1] share of each pixel that hair hides.
    """
    shared = mesh.shared
    scenery = Scenery([], cameras)
    side = scenery.size
    projected = scenery.project(mesh.vertices)
    drawn = rasterise(projected, shared.faces, side, side, cull_back=True)
    labels = face_labels(shared.regions, EMPTY, drawn)
    normals = interpolate_directions(mesh.normals, shared.faces, drawn)
    depth = drawn.depth
    place = interpolate(shared.corners, shared.corner_faces, drawn)
    sheets = torch.stack([w.sheet[CLOTH : CLOTH + 1] for w in worn]).to(place.device)
    cloth = grid_sample(sheets, place, padding_mode="border", align_corners=False)[:, 0] > 0.5
    neck, cloth_label, hair = (LABELS.index(name) for name in ("neck", "cloth", "hair"))
    labels = torch.where(labels == BODY, torch.where(cloth, cloth_label, neck).to(torch.uint8), labels)

    shell = mesh.hair[:, 1].contiguous()  # its surface stands for all of the hair
    over = rasterise(scenery.project(shell), shared.hair_faces, side, side, cull_back=False)
    hairy = (hair_cover[..., 0] > 0.5) & (over.face >= 0)
    lie = interpolate_directions(vertex_normals(shell, shared.hair_faces), shared.hair_faces, over)
    # Both sides of a shell are seen: its normal is the one that looks at the camera.
    spot = interpolate(shell, shared.hair_faces, over)
    lie = torch.where((lie * spot).sum(-1, keepdim=True) > 0, -lie, lie)
    normals = torch.where(hairy[..., None], lie, normals)
    depth = torch.where(hairy, torch.minimum(over.depth, depth), depth)
    is_cloth = torch.tensor([w.has_headdress for w in worn], device=labels.device)[:, None, None]
    labels = torch.where(hairy, torch.where(is_cloth, cloth_label, hair).to(torch.uint8), labels)

    top = open_head().topology
    count = len(top.head_weight)
    head = mesh.vertices[:, :count]
    marks = top.at_landmarks(head)
    points = scenery.project(torch.cat([head, marks], 1))
    seen = visible_vertices(drawn.depth, points, 0.002)
    image = torch.arange(len(points), device=points.device)[:, None]
    x, y = (points[..., i].long().clamp(0, side - 1) for i in (0, 1))
    seen &= ~hairy[image, y, x]
    arrays = (normals, depth, labels, head, seen[:, :count], points[:, count:], seen[:, count:])
    return _Truth(*(a.cpu().numpy() for a in arrays))


_OVER = 2  # drawn this much larger
_CHUNK = 4  # frames drawn at a time: more do not go faster on a CPU
"""Nothing that a frame shows depends on it."""


@dataclass(frozen=True)
class SyntheticFrames:
    """F portraits of size H x W and what is true of them."""

    images: np.ndarray  # uint8 RGB [F, H, W, 3]
    normals: np.ndarray  # float32 [F, H, W, 3] camera space (x right, y down, z away), 0 where background
    depth: np.ndarray  # float32 [F, H, W] metres along z, inf where background
    labels: np.ndarray  # uint8 [F, H, W] index into layers.LABELS
    vertices: np.ndarray  # float32 [F, V, 3] of the open head, camera space, metres
    visible: np.ndarray  # bool [F, V] neither hidden by anything nor outside the picture
    landmarks: np.ndarray  # float32 [F, 478, 3] x px, y px, depth m
    landmarks_visible: np.ndarray  # bool [F, 478]
    cameras: tuple[Camera, ...]

    def __len__(self) -> int:
        return len(self.images)


def render_portraits(
    people: Sequence[SyntheticPerson],
    motion: Motion,
    scenes: Sequence[Scene],
    size: int,
    *,
    rest: Sequence[Motion | None] | None = None,
    first_frame: int = 0,
    device: str | torch.device = "cpu",
) -> SyntheticFrames:
    """Draw one portrait for each frame of a motion.

    Args:
        people: One person for each frame, or a single one for all of them.
        scenes: One scene for each frame, or a single one for all of them.
        motion: F frames in the scenes' cameras (scene.still_state, performance.performed_by).
        size: side of the square pictures, px.
        rest: for each frame the motion of one in which the shoulders are at ease; None: the frame's own, head upright.
        first_frame: number of the first frame, which seeds its sensor noise together with the scene.

    Raises:
        ValueError: lengths that do not fit, or a size below 16.
    """
    count = len(motion)
    if not count or size < 16:
        raise ValueError(f"got {count} frames at {size} px; want at least one frame and 16 px")
    people, scenes = _spread("people", people, count), _spread("scenes", scenes, count)
    rests = _spread("rest", rest if rest is not None else [None], count)
    worn = {id(p): wardrobe_of(p) for p in people}
    parts = []
    with torch.no_grad():
        for a in range(0, count, _CHUNK):
            rows = range(a, min(a + _CHUNK, count))
            chosen = [people[i] for i in rows]
            parts.append(
                _draw(
                    chosen,
                    [worn[id(p)] for p in chosen],
                    motion[rows.start : rows.stop],
                    [scenes[i] for i in rows],
                    [rests[i] for i in rows],
                    size,
                    [first_frame + i for i in rows],
                    torch.device(device),
                )
            )
    images = np.concatenate([p[0] for p in parts])
    truths = [p[1] for p in parts]
    cameras = tuple(s.camera(p, size) for s, p in zip(scenes, people, strict=True))
    return SyntheticFrames(images, **_Truth.joined(truths), cameras=cameras)


def _spread(name: str, values: Sequence, count: int) -> list:
    if len(values) not in (1, count):
        raise ValueError(f"got {len(values)} {name} for {count} states; want one, or one for each")
    return list(values) * count if len(values) == 1 else list(values)


def _draw(
    people: list[SyntheticPerson],
    worn: list[Wardrobe],
    motion: Motion,
    scenes: list[Scene],
    rests: list[Motion | None],
    size: int,
    numbers: list[int],
    device: torch.device,
) -> tuple[np.ndarray, _Truth]:
    mesh = opaque_mesh(people, worn, motion, rests, device)
    cameras = [s.camera(p, size * _OVER) for s, p in zip(scenes, people, strict=True)]
    scenery = Scenery([s.light for s in scenes], cameras)
    light, cover, depth = head_layer(mesh, worn, scenery)
    light, cover, hair_cover = hair_over(mesh, worn, scenery, light, cover, depth)
    light, cover, hair_cover = _shrink(torch.cat([light, cover, hair_cover], -1)).split((3, 1, 1), -1)
    behind = torch.from_numpy(np.stack([background(s.seed, size) for s in scenes])).to(device)
    picture = (light + (1.0 - cover) * behind).cpu().numpy()
    images = np.stack([develop(p, s, n) for p, s, n in zip(picture, scenes, numbers, strict=True)])
    small = [s.camera(p, size) for s, p in zip(scenes, people, strict=True)]
    return images, _truth_of(mesh, worn, small, hair_cover)


def _shrink(picture: Tensor) -> Tensor:
    """Average [N, S, S, C] to [N, S / 2, S / 2, C]."""
    parts = [picture[:, i::_OVER, j::_OVER] for i in range(_OVER) for j in range(_OVER)]
    return torch.stack(parts).sum(0) / len(parts)
