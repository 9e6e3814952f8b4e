# SPDX-License-Identifier: Apache-2.0
"""The warp of everything beside the face: hair, ears, neck, shoulders and background.

A grid of nodes with depth covers the reference image. On the head a node is bound to the mesh point that it shows.
Around the head it moves with head or torso in 3D at the depth of the nearest outline, and the less, the farther it is
from the person. The grid is rasterised as one surface with a depth test, so that what comes in front covers what lies
behind and nothing tears.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree
from torch import Tensor

from reenact.head.model import Float
from reenact.head.motion import Motion
from reenact.head.regions import in_regions, region_ids
from reenact.head.shape import HeadShape
from reenact.head.state import torso_translation
from reenact.rendering import Camera, Fragments, interpolate, rasterise
from reenact.rendering.head_renderer import VisibleHead

from .filters import blur, resize, smoothstep

# Chosen. In brackets: mean change of the frame, in grey levels, at half and at double, in 10 frames of the demo photo.
_NODES = 96  # a side, without those on the border of the image (2.07; 1.36)
_STEEPEST = 2.0  # depth over width; steeper parts were seen too obliquely to be rotated (1.54; 0.5)
_NEIGHBOURS = 24  # bound nodes that a free one is averaged from, and the fewest that make a head (0.48; 0.64)
_EXPRESSION_REACH = 0.35  # head widths over which expression fades out around the face (0.74; 1.19)
_PERSON_REACH = 0.45  # head widths over which the person's motion fades out in the background (0.54; 0.5)
_NECK_M = (-0.25, -0.13)  # heights over which what hangs down goes from torso to head (3.08; 1.09)


@dataclass(frozen=True)
class BackgroundWarp:
    """A grid of N nodes over the reference image; pixels are those of `camera`."""

    camera: Camera
    reference: Motion  # of one frame
    xy: Float  # [N, 2] px in the reference
    points: Float  # [N, 3] canonical head space, metres
    binding: sp.csr_matrix  # [N, V] takes displacements of vertices to displacements of nodes
    head_weight: Float  # [N] share of the head's motion
    torso_weight: Float  # [N] share of the torso's motion; the rest stands still
    faces: Tensor  # [G, 3] int32

    @classmethod
    def from_reference(cls, head: HeadShape, visible: VisibleHead, person: Float) -> BackgroundWarp:
        """Bind a grid to the head in the reference.

        Args:
            head: the subject's.
            visible: what of it the reference shows; its camera is that of the warp.
            person: [H, W] probability that a pixel shows the person.

        Raises:
            ValueError: the camera does not see the head.
        """
        camera, motion = visible.camera, visible.motion
        size = camera.width
        step = size / _NODES
        fragments = _rasterise_skin(visible)
        face = fragments.face[0].numpy()
        on_head = face >= 0
        if on_head.sum() < _NEIGHBOURS:
            raise ValueError("the head lies outside of the photo crop, or is smaller than a few pixels")

        depth = _extrapolate_depth(fragments.depth[0].numpy(), on_head)
        depth = _limit_slope(depth, step * float(np.median(visible.px[:, 2].numpy())) / camera.focal_px)
        centres = (np.arange(_NODES) + 0.5) * step
        lines = np.concatenate([[0.0], centres, [size]]).astype(np.float32)
        xy = np.stack(np.meshgrid(lines, lines), axis=-1).reshape(-1, 2)
        z = np.pad(blur(depth, 1.0), 1, mode="edge").reshape(-1, 1)
        in_camera = np.column_stack([(xy - (camera.cx, camera.cy)) / camera.focal_px * z, z])
        points = (in_camera - motion.translation[0].numpy()) @ motion.rotation[0].numpy()
        points = points.astype(np.float32)

        topology, count = head.topology, len(head.neutral)
        hangs = _bind(visible, fragments, on_head, xy, count)[0] @ topology.head_weight.numpy()
        hangs = hangs * smoothstep(*_NECK_M, points[:, 1])
        # Only the face moves by itself. What is around it follows gradually: the shadow of a chin goes down with it.
        face_weight = interpolate(topology.face_weight[:, None], visible.faces, fragments)
        on_face = on_head & (face_weight[0, ..., 0].numpy() > 0.5)
        binding, distance_px = _bind(visible, fragments, on_face, xy, count)
        head_width = float(np.ptp(visible.px[topology.head_weight > 0.9, 0].numpy()))
        nearness = np.exp(-((distance_px / (_EXPRESSION_REACH * head_width)) ** 2))
        weight = np.pad(_person_weight(person, on_head, head_width / step), 1, mode="edge").reshape(-1)
        border = np.minimum(xy, size - xy).min(axis=1) / size
        weight = weight * smoothstep(0.0, 0.09, border)  # the border of the image stands still
        return cls(
            camera,
            motion,
            xy,
            points,
            sp.csr_matrix(sp.diags(nearness) @ binding),
            (weight * hangs).astype(np.float32),
            (weight * (1.0 - hangs)).astype(np.float32),
            _grid_faces(_NODES + 2),
        )

    def nodes(self, head: HeadShape, motion: Motion, displacement: Float) -> Float:
        """Move the nodes.

        Args:
            head: the subject's.
            motion: of one frame.
            displacement: [V, 3] metres of the vertices since the reference, in canonical head space.

        Returns:
            [N, 3] x px, y px, depth m.
        """
        side = _NODES + 2
        # The mesh warps the face exactly; around it a smoother displacement squeezes the neck instead of folding it.
        smooth = blur((self.binding @ displacement).reshape(side, side, 3), 1.5)  # nodes
        points = self.points + smooth.reshape(-1, 3)
        rotation, translation = motion.rotation[0].numpy(), motion.translation[0].numpy()
        still_r, still_t = self.reference.rotation[0].numpy(), self.reference.translation[0].numpy()
        torso = torso_translation(head, self.reference, motion)[0].numpy()
        parts = (
            (points @ rotation.T + translation, self.head_weight),
            (points @ still_r.T + still_t + torso, self.torso_weight),
            (self.points @ still_r.T + still_t, 1.0 - self.head_weight - self.torso_weight),
        )
        out = np.zeros((len(points), 3), np.float32)
        for in_camera, weight in parts:
            z = in_camera[:, 2]
            out[:, 0] += weight * (in_camera[:, 0] / z * self.camera.focal_px + self.camera.cx)
            out[:, 1] += weight * (in_camera[:, 1] / z * self.camera.focal_px + self.camera.cy)
            out[:, 2] += weight * z
        return out

    def field(self, head: HeadShape, motion: Motion, displacement: Float, reference_nodes: Float) -> Float:
        """Return the displacement from each pixel to where the reference shows its content [H, W, 2] px.

        Args:
            head: the subject's.
            motion: of one frame.
            displacement: see `nodes`.
            reference_nodes: `nodes` of the reference's own motion, so that rounding cancels where nothing moves.
        """
        nodes = self.nodes(head, motion, displacement)
        backwards = reference_nodes[:, :2] - nodes[:, :2]
        nodes[:, :2] = self.xy - backwards
        fragments = rasterise(
            torch.from_numpy(nodes[None]), self.faces, self.camera.height, self.camera.width, cull_back=True
        )
        field = interpolate(torch.from_numpy(backwards), self.faces, fragments)[0].numpy()
        # Where one part comes to lie before another, the edge between them is as ragged as the grid.
        field = blur(field, 0.9)  # px
        field[[0, -1]] = 0.0
        field[:, [0, -1]] = 0.0
        return field


def _rasterise_skin(visible: VisibleHead) -> Fragments:
    """Rasterise the outer skin at the nodes; eyes and the open mouth are left out and interpolated later."""
    px = visible.px[None].clone()
    px[..., :2] *= _NODES / visible.camera.width
    outside = in_regions(visible.regions, *region_ids("skin", "neck", "ears", "eyelids", "lips"))
    outer = torch.nonzero(outside)[:, 0]
    fragments = rasterise(px, visible.faces[outer], _NODES, _NODES, cull_back=True)
    face = torch.cat([outer, outer.new_tensor([-1])]).int()[fragments.face]
    return replace(fragments, face=face, face_count=len(visible.faces))


def _bind(
    visible: VisibleHead, fragments: Fragments, mask: NDArray[np.bool_], xy: Float, vertices: int
) -> tuple[sp.csr_matrix, Float]:
    """Bind nodes to vertices.

    Args:
        visible: the head in the reference.
        fragments: of its skin, at the nodes.
        mask: [_NODES, _NODES] nodes that are bound to what they show; others are averages of the nearest of these.
        xy: [N, 2] px.
        vertices: V.

    Returns:
        Weights [N, V], and the distance of every node to the nearest of the mask [N] px.
    """
    bound = np.pad(mask, 1)
    rows = np.repeat(np.flatnonzero(bound), 3)
    columns = visible.faces.numpy()[fragments.face[0].numpy()[mask]].reshape(-1)
    weights = fragments.bary[0].numpy()[mask].reshape(-1)
    direct = sp.csr_matrix((weights, (rows, columns)), shape=(bound.size, vertices))

    inside, outside = np.flatnonzero(bound), np.flatnonzero(~bound.reshape(-1))
    if len(inside) < 2:
        return direct, np.full(bound.size, np.inf, np.float32)
    distance, nearest = KDTree(xy[inside]).query(xy[outside], k=min(_NEIGHBOURS, len(inside)))
    share = 1.0 / distance**2
    share /= share.sum(axis=1, keepdims=True)
    rows = np.repeat(outside, share.shape[1])
    averages = sp.csr_matrix((share.ravel(), (rows, inside[nearest].ravel())), shape=(bound.size, bound.size))
    distance_px = np.zeros(bound.size, np.float32)
    distance_px[outside] = distance[:, 0]
    return sp.csr_matrix(direct + averages @ direct, dtype=np.float32), distance_px


def _extrapolate_depth(depth: Float, mask: NDArray[np.bool_]) -> Float:
    """Give each pixel outside of a mask [H, W] the depth [H, W] of the nearest one inside, the smoother the farther."""
    _, labels = cv2.distanceTransformWithLabels(
        (~mask).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label = np.asarray(labels, np.int32)
    of_label = np.zeros(label.max() + 1, np.float32)
    of_label[label[mask]] = depth[mask]
    nearest = of_label[label]
    smooth = blur(nearest, _NODES / 16)
    return np.asarray(nearest + smoothstep(0.0, _NODES / 20, _distance_to_mask(mask)) * (smooth - nearest), np.float32)


def _limit_slope(depth: Float, step_m: float) -> Float:
    """Return the nearest surface [H, W] metres that is not behind `depth` and nowhere steeper than `_STEEPEST`.

    Args:
        depth: [H, W] metres.
        step_m: distance of two nodes.
    """
    for _ in range(max(depth.shape)):
        before = depth
        for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
            shifted = np.roll(depth, shift, axis)
            edge = [slice(None)] * 2
            edge[axis] = slice(0, 1) if shift > 0 else slice(-1, None)
            shifted[tuple(edge)] = np.inf
            depth = np.minimum(depth, shifted + _STEEPEST * step_m)
        if np.array_equal(before, depth):
            break
    return depth


def _person_weight(person: Float, on_head: NDArray[np.bool_], head_width: float) -> Float:
    """Return 1 on the person whose head this is, falling to 0 in the background [_NODES, _NODES]; head_width: nodes."""
    inside = resize(person, _NODES, _NODES) > 0.5
    inside |= on_head
    label = np.asarray(cv2.connectedComponents(inside.astype(np.uint8))[1])
    inside = np.isin(label, np.unique(label[on_head]))
    return blur(smoothstep(_PERSON_REACH * head_width, 0.0, _distance_to_mask(inside) - 1.0), 1.2)


def _grid_faces(side: int) -> Tensor:
    """[G, 3] int32 two triangles for each square of a grid of side x side nodes."""
    corner = (torch.arange(side - 1)[:, None] * side + torch.arange(side - 1)).flatten()
    a, b, c, d = corner, corner + side, corner + 1, corner + side + 1
    return torch.cat([torch.stack([a, b, c], 1), torch.stack([c, b, d], 1)]).int()


def _distance_to_mask(mask: NDArray[np.bool_]) -> Float:
    """Return the distance of every pixel to the nearest True, px."""
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
