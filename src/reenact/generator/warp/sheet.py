# SPDX-License-Identifier: Apache-2.0
"""The photo as an elastic sheet in depth: it carries hair, ears, neck, shoulders and background along.

A grid of nodes over the photo. On the head a node is bound to the mesh point it shows; around it, it moves with
the head or the torso in 3D at the depth of the nearest outline, and the farther from the person, the less. Drawn
as one surface with a depth test, so that what comes in front covers what lies behind and nothing tears.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree

from reenact.head.model import Float
from reenact.head.motion import Motion
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape
from reenact.head.state import torso_translation
from reenact.rendering import Camera, Fragments, interpolate, rasterise
from reenact.rendering.head_renderer import VisibleHead

from .filters import blur, distance_to_mask, resize, smoothstep

NODES = 96  # a side, besides the border
_STEEPEST = 2.0  # depth over width; what is steeper was seen too obliquely to be turned towards the viewer
_NEIGHBOURS = 24
_SKIN = ("skin", "neck", "ears", "eyelids", "lips")
_EXPRESSION_REACH = 0.35  # widths of the head over which the skin's own motion dies away around it
_FREE = 0.45  # widths of the head over which the person's motion dies away in the background
_SOFT = 1.5  # nodes
_EDGE_PX = 0.9
_BORDER = 0.09  # of the picture: the sheet is nailed to its frame
_NECK_M = (-0.25, -0.13)  # height in head space over which what hangs down leaves the head for the torso


@dataclass(frozen=True)
class Sheet:
    """N nodes; pixels are those of the reference camera."""

    camera: Camera
    photo: Motion  # of one frame
    xy: Float  # [N, 2] px, rest places
    points: Float  # [N, 3] canonical head space
    follow: sp.csr_matrix  # [N, V] takes vertex motions to node motions
    head: Float  # [N] shares of each motion; the rest stays
    torso: Float  # [N]
    faces: torch.Tensor  # [G, 3] int32

    def move(self, head: HeadShape, state: Motion, motion: Float) -> Float:
        """[N, 3] driven node places (x px, y px, depth m). motion: [V, 3] canonical, since the photo."""
        side = NODES + 2
        # The mesh has the face exactly; around it a softer motion squeezes the neck instead of folding it.
        soft = blur((self.follow @ motion).reshape(side, side, 3), _SOFT)
        points = self.points + soft.reshape(-1, 3)
        rotation, translation = state.rotation[0].numpy(), state.translation[0].numpy()
        still_r, still_t = self.photo.rotation[0].numpy(), self.photo.translation[0].numpy()
        parts = (
            (points @ rotation.T + translation, self.head),
            (points @ still_r.T + still_t + torso_translation(head, self.photo, state)[0].numpy(), self.torso),
            (self.points @ still_r.T + still_t, 1.0 - self.head - self.torso),
        )
        place = np.zeros((len(points), 3), np.float32)
        for cam, weight in parts:
            z = cam[:, 2]
            place[:, 0] += weight * (cam[:, 0] / z * self.camera.focal_px + self.camera.cx)
            place[:, 1] += weight * (cam[:, 1] / z * self.camera.focal_px + self.camera.cy)
            place[:, 2] += weight * z
        return place

    def draw(self, head: HeadShape, state: Motion, motion: Float, still: Float) -> Float:
        """[H, W, 2] px: where in the photo each pixel's content lies, less the pixel's own place.

        still: `move` at the photo's own state, so that rounding leaves no trace where nothing moves.
        """
        place = self.move(head, state, motion)
        back = still[:, :2] - place[:, :2]
        place[:, :2] = self.xy - back
        fragments = rasterise(
            torch.from_numpy(place[None]), self.faces, self.camera.height, self.camera.width, cull_back=True
        )
        field = interpolate(torch.from_numpy(back), self.faces, fragments)[0].numpy()
        # Where one part comes to lie before another, the edge between them is as ragged as the grid.
        field = blur(field, _EDGE_PX)
        field[[0, -1]] = 0.0
        field[:, [0, -1]] = 0.0
        return field


def lay(head: HeadShape, reference: VisibleHead, person: Float) -> Sheet:
    """Lay the sheet over the photo. person: [H, W] probability, in the reference camera's pixels.

    Raises ValueError if the camera does not see the head.
    """
    camera = reference.camera
    size = camera.width
    step = size / NODES
    drawn = _draw_skin(reference, NODES)
    face = drawn.face[0].numpy()
    on_head = face >= 0
    if on_head.sum() < _NEIGHBOURS:
        raise ValueError("the head lies outside of the photo crop, or is smaller than a few pixels")

    depth = _outwards(drawn.depth[0].numpy(), on_head)
    depth = _cap_slope(depth, step * _typical_depth(reference) / camera.focal_px)
    centres = (np.arange(NODES) + 0.5) * step
    lines = np.concatenate([[0.0], centres, [size]]).astype(np.float32)
    xy = np.stack(np.meshgrid(lines, lines), axis=-1).reshape(-1, 2)
    z = np.pad(blur(depth, 1.0), 1, mode="edge").reshape(-1, 1)
    cam = np.column_stack([(xy - (camera.cx, camera.cy)) / camera.focal_px * z, z])
    state = reference.motion
    points = ((cam - state.translation[0].numpy()) @ state.rotation[0].numpy()).astype(np.float32)

    top = head.topology
    hangs = _bind(reference, drawn, on_head, xy, len(head.neutral))[0] @ top.head_weight
    hangs = hangs * smoothstep(*_NECK_M, points[:, 1])
    # Only the face moves by itself. What is around it gives way gradually: a chin that drops takes its shadow along.
    is_face = interpolate(torch.from_numpy(top.face_weight[:, None]), reference.faces, drawn)[0, ..., 0].numpy() > 0.5
    on_face = on_head & is_face
    follow, away = _bind(reference, drawn, on_face, xy, len(head.neutral))
    nearness = np.exp(-((away / (_EXPRESSION_REACH * _head_width(head, reference))) ** 2))
    free = np.pad(_person_share(person, on_head, _head_width(head, reference) / step), 1, mode="edge").reshape(-1)
    edge = np.minimum(xy, size - xy).min(axis=1) / size
    free = free * smoothstep(0.0, _BORDER, edge)
    return Sheet(
        camera,
        state,
        xy,
        points,
        sp.csr_matrix(sp.diags(nearness) @ follow),
        (free * hangs).astype(np.float32),
        (free * (1.0 - hangs)).astype(np.float32),
        torch.from_numpy(_grid_faces(NODES + 2)),
    )


def _draw_skin(reference: VisibleHead, nodes: int) -> Fragments:
    """The outer skin at the nodes: eyes and the open mouth are holes to be bridged."""
    skin = np.isin(reference.regions, region_ids(*_SKIN))
    px = torch.from_numpy(reference.px[None].copy())
    px[..., :2] *= nodes / reference.camera.width
    outer = np.flatnonzero(skin)
    drawn = rasterise(px, reference.faces[outer], nodes, nodes, cull_back=True)
    whole = torch.from_numpy(np.append(outer, -1).astype(np.int32))[drawn.face]
    return replace(drawn, face=whole, face_count=len(reference.faces))


def _bind(
    reference: VisibleHead, drawn: Fragments, known_at: NDArray[np.bool_], xy: Float, vertices: int
) -> tuple[sp.csr_matrix, Float]:
    """Vertex weights [N, V] for every node, those of the drawn surface where `known_at` [NODES, NODES], else mixed from
    the nearest such nodes; and the distance [N] to these, px."""
    bound = np.pad(known_at, 1)
    rows = np.repeat(np.flatnonzero(bound), 3)
    columns = reference.faces.numpy()[drawn.face[0].numpy()[known_at]].reshape(-1)
    weights = drawn.bary[0].numpy()[known_at].reshape(-1)
    direct = sp.csr_matrix((weights, (rows, columns)), shape=(bound.size, vertices))

    known, loose = np.flatnonzero(bound), np.flatnonzero(~bound.reshape(-1))
    if len(known) < 2:
        return direct, np.full(bound.size, np.inf, np.float32)
    distance, near = KDTree(xy[known]).query(xy[loose], k=min(_NEIGHBOURS, len(known)))
    share = 1.0 / distance**2
    share /= share.sum(axis=1, keepdims=True)
    rows = np.repeat(loose, share.shape[1])
    lend = sp.csr_matrix((share.ravel(), (rows, known[near].ravel())), shape=(bound.size, bound.size))
    away = np.zeros(bound.size, np.float32)
    away[loose] = distance[:, 0]
    return sp.csr_matrix(direct + lend @ direct, dtype=np.float32), away


def _outwards(depth: Float, known: NDArray[np.bool_]) -> Float:
    """Depth everywhere: each unknown pixel takes that of the nearest known one."""
    _, labels = cv2.distanceTransformWithLabels(
        (~known).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label = np.asarray(labels, np.int32)
    of_label = np.zeros(label.max() + 1, np.float32)
    of_label[label[known]] = depth[known]
    outline = of_label[label]
    # The outline's depth jumps about; what is around the head should not.
    calm = blur(outline, NODES / 16)
    return np.asarray(outline + smoothstep(0.0, NODES / 20, distance_to_mask(known)) * (calm - outline), np.float32)


def _cap_slope(depth: Float, step_m: float) -> Float:
    """The highest surface not behind `depth` that is nowhere steeper than `_STEEPEST`. step_m: node distance."""
    for _ in range(max(depth.shape)):
        before = depth
        for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
            near = np.roll(depth, shift, axis)
            edge = [slice(None)] * 2
            edge[axis] = slice(0, 1) if shift > 0 else slice(-1, None)
            near[tuple(edge)] = np.inf
            depth = np.minimum(depth, near + _STEEPEST * step_m)
        if np.array_equal(before, depth):
            break
    return depth


def _person_share(person: Float, on_head: NDArray[np.bool_], head_width: float) -> Float:
    """[NODES, NODES] 1 on the person whose head this is, falling to 0 in the background. head_width: nodes."""
    inside = resize(person, NODES, NODES) > 0.5
    inside |= on_head
    label = np.asarray(cv2.connectedComponents(inside.astype(np.uint8))[1])
    inside = np.isin(label, np.unique(label[on_head]))
    return blur(smoothstep(_FREE * head_width, 0.0, distance_to_mask(inside) - 1.0), 1.2)


def _head_width(head: HeadShape, reference: VisibleHead) -> float:
    """Of the head in the photo, px."""
    x = reference.px[head.topology.head_weight > 0.9, 0]
    return float(np.ptp(x))


def _typical_depth(reference: VisibleHead) -> float:
    return float(np.median(reference.px[:, 2]))


def _grid_faces(side: int) -> NDArray[np.int32]:
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    a, b, c, d = corner, corner + side, corner + 1, corner + side + 1
    return np.concatenate([np.stack([a, b, c], 1), np.stack([c, b, d], 1)]).astype(np.int32)
