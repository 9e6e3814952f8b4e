# SPDX-License-Identifier: Apache-2.0
"""Landmarks of a shot made more precise by optical flow in its own pictures.

A detector looks at each picture by itself and is off by a pixel here, another there.  Pixels of one person compare far
better with each other: one frame of the shot, the anchor, is carried to every other by the fitted mesh, and what still
differs is a small smooth flow.  Where it can be relied on, it says where a landmark is *relative to the anchor*; the
detector's word about that landmark over the whole shot says where the anchor has it.  What remains wrong of the latter
is wrong alike in all frames, which relative motion does not notice.

The flow is Kroeger et al., "Fast optical flow using dense inverse search", 2016 (doi:10.1007/978-3-319-46493-0_29).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.head.camera import Camera
from reenact.head.landmarks import FACE_LANDMARKS, INNER_LIPS, IRIS, LEFT_LIDS, OUTER_LIPS, RIGHT_LIDS
from reenact.head.mesh import rms_radius
from reenact.head.motion import Motion
from reenact.head.regions import region_ids
from reenact.head.state import posed_vertices
from reenact.head.subject import Subject
from reenact.media import SquareCrop
from reenact.perception import ExpressionEvidence
from reenact.rendering import interpolate, rasterise, vertex_normals, visible_vertices

from .face_model import LandmarkModel, landmark_model
from .fit import Points
from .normal_equations import project

_ROWS: Final = 64  # frames at a time
_SIDE: Final = 256  # px of the compared squares
_TOLERANCE_M: Final = 0.0025
_FACING: Final = (0.1, 0.35)  # cosine to the line of sight between which a surface comes to be compared
_SURE: Final = (0.01, 0.06)  # local mean of the confidence between which a landmark comes to follow the flow

Float = NDArray[np.float32]


@dataclass(frozen=True)
class Shot:
    """N frames of one person, in which a face was found and fitted."""

    subject: Subject
    points: Points  # [N, 478, 2] px, as detected
    fitted: Motion
    frames: NDArray[np.int64]  # [N] their numbers in the video
    evidence: ExpressionEvidence | None = None  # of N frames

    @cached_property
    def predicted(self) -> Points:
        """[N, 478, 2] px: where the fit has the landmarks, offsets and all."""
        model = landmark_model(self.subject.head, self.subject.placement)
        return np.concatenate([self._predicted(model, rows) for rows in self.parts()])

    def parts(self) -> list[slice]:
        """Rows, some at a time: what is wide for a landmark is not held for all frames at once."""
        return [slice(start, start + _ROWS) for start in range(0, len(self.frames), _ROWS)]

    def _predicted(self, model: LandmarkModel, rows: slice) -> Points:
        camera, fit = self.subject.camera, self.fitted[rows]
        px = project(model, fit, camera.focal_px).numpy() + np.asarray([camera.cx, camera.cy], np.float32)
        if fit.landmark_offset is not None:
            turned = fit.landmark_offset.numpy() @ np.swapaxes(fit.rotation.numpy(), 1, 2)
            px += turned[..., :2] * camera.focal_px / self.depth(rows)[..., None]
        return px

    def depth(self, rows: slice) -> Float:
        """[R, 478] metres of the landmarks of a head at rest, at the pose of each frame."""
        rotation, translation = self.fitted.rotation[rows].numpy(), self.fitted.translation[rows].numpy()
        head = self.subject.head
        return (head.topology.at_landmarks(head.neutral).numpy() @ rotation[:, 2].T).T + translation[:, 2:]

    @cached_property
    def size_px(self) -> Float:
        """[N] root mean square radius of the face."""
        return rms_radius(self.predicted[:, :FACE_LANDMARKS])

    @cached_property
    def offset(self) -> Float:
        """[478, 2] of the face's size: how far from the fit the detector usually sees each landmark."""
        return np.median((self.points - self.predicted) / self.size_px[:, None, None], axis=0)

    @cached_property
    def anchor_row(self) -> int:
        """The frame most like all others."""
        shape = (self.points - self.points.mean(axis=1, keepdims=True)) / self.size_px[:, None, None]
        return int(np.argmin(((shape - np.median(shape, axis=0)) ** 2).sum(axis=(1, 2))))

    @cached_property
    def residual_px(self) -> Float:
        """[N] median distance of the landmarks as detected from where the actions have them, without offsets."""
        plain = (
            self
            if self.fitted.landmark_offset is None
            else replace(self, fitted=self.fitted.replace(landmark_offset=None))
        )
        away = np.linalg.norm(plain.predicted - self.points, axis=-1)
        return np.median(away, axis=1).astype(np.float32)

    def crop(self, row: int) -> SquareCrop:
        """The square around the face that is compared."""
        low, high = self.predicted[row, :FACE_LANDMARKS].min(axis=0), self.predicted[row, :FACE_LANDMARKS].max(axis=0)
        side = 1.35 * float((high - low).max())
        x0, y0 = (low + high) / 2 - side / 2
        return SquareCrop(float(x0), float(y0), side, _SIDE)


class Anchor:
    """The frame of a shot that the others are compared with. image: [H, W, 3] RGB, the frame `shot.anchor_row`."""

    def __init__(self, shot: Shot, image: NDArray[np.uint8]) -> None:
        topology = shot.subject.head.topology
        self._shot = shot
        skin = topology.region_faces(*region_ids("skin", "ears", "eyelids", "lips"))
        self._faces = topology.faces[skin]
        row, crop = shot.anchor_row, shot.crop(shot.anchor_row)
        self._state = shot.fitted[row]
        self._picture = _grey(crop.extract(image))
        vertices, camera = self._posed(self._state), _camera(shot, crop)
        px = camera.project(vertices)
        drawn = rasterise(px, self._faces, _SIDE, _SIDE, cull_back=True)
        seen = visible_vertices(drawn.depth, px, _TOLERANCE_M).float() * self._facing(vertices)
        self._seen = seen[0]  # [V]
        self._px = px[0, :, :2]  # [V, 2]

    def found(self, row: int, image: NDArray[np.uint8]) -> tuple[Points, Float]:
        """Where the flow has the landmarks of frame `row`, [478, 2] px, and how far to trust that, [478] 0 to 1.

        image: [H, W, 3] RGB, that frame.
        """
        shot = self._shot
        with _one_opencv_thread():
            away, trust = self._flow_at_landmarks(row, image)
        return away + shot.predicted[row] + shot.offset * shot.size_px[row], trust

    def _flow_at_landmarks(self, row: int, image: NDArray[np.uint8]) -> tuple[Float, Float]:
        """[478, 2] px from where the fit has the landmarks of a frame to its pixels, and trust [478] in that."""
        crop = self._shot.crop(row)
        there = _grey(crop.extract(image))
        carried, seen = self._carried(row, crop)
        # Where the anchor shows nothing the pictures are made alike: nothing pulls.
        here = np.rint(there + seen * (carried.astype(np.float32) - there)).astype(np.uint8)
        flow, trust = _smooth_flow(here, there, seen)
        at = crop.to_crop(self._shot.predicted[row]).astype(np.float32) - np.float32(0.5)
        values = cv2.remap(
            np.dstack([flow, trust]), at[None, :, 0], at[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )[0]
        return values[:, :2] * np.float32(crop.scale), _ramp(values[:, 2], *_SURE)

    def _carried(self, row: int, crop: SquareCrop) -> tuple[NDArray[np.uint8], Float]:
        """The anchor's grey pixels where the fit has them in a frame, [S, S]; how well they are seen [S, S], 0 to 1."""
        vertices = self._posed(self._shot.fitted[row])
        drawn = rasterise(_camera(self._shot, crop).project(vertices), self._faces, _SIDE, _SIDE, cull_back=True)
        seen = self._seen * self._facing(vertices)[0]
        maps = interpolate(torch.cat([self._px - 0.5, seen[:, None]], dim=1), self._faces, drawn)[0].numpy()
        picture = cv2.remap(
            self._picture, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(picture, np.uint8), np.clip(maps[..., 2], 0.0, 1.0)

    def _posed(self, state: Motion) -> Tensor:
        """[1, V, 3] camera space, metres."""
        return posed_vertices(self._shot.subject.head, state, self._state)

    def _facing(self, vertices: Tensor) -> Tensor:
        """[1, V] 1 where the surface looks at the camera, 0 where it is seen from aside."""
        sight = vertices / vertices.norm(dim=-1, keepdim=True)
        cosine = -(vertex_normals(vertices, self._faces) * sight).sum(dim=-1)
        low, high = _FACING
        return ((cosine - low) / (high - low)).clamp(0.0, 1.0)


def followed(points: Points, found: Points, trust: Float) -> Points:
    """Detected landmarks [N, 478, 2] px, moved as far as is trusted [N, 478] to where the flow has them.

    Lids and lips, which open and close, go along with eye and mouth.
    """
    shift = trust[..., None] * (found - points)
    out = np.asarray(points + shift, np.float32)
    for lids, iris in zip((LEFT_LIDS, RIGHT_LIDS), IRIS, strict=True):
        moving = [*lids, *iris]
        out[:, moving] = points[:, moving] + shift[:, list(lids)].mean(axis=1, keepdims=True)
    inner = list(INNER_LIPS)
    out[:, inner] = points[:, inner] + shift[:, list(OUTER_LIPS)].mean(axis=1, keepdims=True)
    return out


def _camera(shot: Shot, crop: SquareCrop) -> Camera:
    return shot.subject.camera.cropped(crop.x0, crop.y0, crop.size, crop.output_px)


def _smooth_flow(here: NDArray[np.uint8], there: NDArray[np.uint8], seen: Float) -> tuple[Float, Float]:
    """Flow [S, S, 2] px between grey pictures, averaged by its confidence; the confidence [S, S] around each pixel."""
    forth = _searched(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM, here, there)
    back = _searched(
        cv2.DISOPTICAL_FLOW_PRESET_FAST, there, here
    )  # good enough to check with, at a quarter of the cost
    way = np.stack(np.meshgrid(np.arange(_SIDE), np.arange(_SIDE)), axis=-1).astype(np.float32) + forth
    returned = forth + cv2.remap(back, way[..., 0], way[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    slope = (cv2.Sobel(here, cv2.CV_32F, 1, 0) / 8) ** 2 + (cv2.Sobel(here, cv2.CV_32F, 0, 1) / 8) ** 2
    texture = _blurred(slope)
    # Flow there and back that misses by 1 px is hardly believed; a mean squared slope of 4 holds a flow half.
    confidence = seen * np.exp(-(returned**2).sum(axis=-1)) * texture / (texture + 4.0)
    around = _blurred(confidence)
    return _blurred(forth * confidence[..., None]) / (around[..., None] + np.float32(1e-6)), around


def _searched(preset: int, here: NDArray[np.uint8], there: NDArray[np.uint8]) -> Float:
    flow = np.zeros((*here.shape, 2), np.float32)
    search = cv2.DISOpticalFlow.create(preset)
    return np.asarray(search.calc(here, there, flow), np.float32)


def _blurred(x: np.ndarray) -> Float:
    return np.asarray(cv2.GaussianBlur(x, (0, 0), 3.0), np.float32)


def _grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def _ramp(x: Float, low: float, high: float) -> Float:
    return np.clip((x - low) / (high - low), 0.0, 1.0).astype(np.float32)


@contextmanager
def _one_opencv_thread() -> Iterator[None]:
    """The search passes matches on within the rows of one thread: how many there are must not change a track."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
