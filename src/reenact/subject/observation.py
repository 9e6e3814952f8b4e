# SPDX-License-Identifier: Apache-2.0
"""What the fit knows about F frames of one person: tracked motion, landmarks, and dense maps of crops of the head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import ClassVar

import cv2
import numpy as np
import torch
from scipy.ndimage import binary_fill_holes, distance_transform_edt
from torch import Tensor

from reenact.head.motion import Motion
from reenact.head.state import torso_translation
from reenact.head.subject import Subject
from reenact.perception.dense.maps import DenseMaps, View
from reenact.perception.dense.network import CLASSES, HEAD

_CHIN_FOREHEAD, _EYES = (152, 10), (33, 263)  # numbers of landmarks: MediaPipe's face mesh
_BEYOND = 0.08  # of the face's height: landmarks of the jaw lie that near to where it ends, on the sheets looked at
_FAR_PX = 24.0  # beyond that far from the outline of the head, only that it is far is known


@dataclass(frozen=True)
class Observation:
    """F frames; crops of S x S pixels."""

    SHARED: ClassVar[tuple[str, ...]] = ("placement",)
    """What belongs to the person and not to a frame."""
    expression: Tensor  # [F, 52] as tracked
    gaze: Tensor  # [F, 2, 2] as tracked
    R_cam_head: Tensor  # [F, 3, 3]
    t_cam_head: Tensor  # [F, 3]
    R_cam_torso: Tensor  # [F, 3, 3]
    t_cam_torso: Tensor  # [F, 3]
    camera: Tensor  # [F, 3] focal length, principal point x and y of each crop, px of the crop
    landmarks: Tensor  # [F, 478, 2] px of the crop; NaN: not seen
    placement: Tensor  # [478, 3] metres from each landmark's place on the mesh to where it is seen on this person
    normals: Tensor  # [F, S, S, 3] picture's camera space
    certainty: Tensor  # [F, S, S] 0..1
    depth: Tensor  # [F, S, S] sides of the crop, up to a shift; NaN: not known
    classes: Tensor  # [F, S, S] uint8
    outline: Tensor | None = None
    """[F, S, S] px from the outline of head and hair, positive outside, clipped; None if it was not looked for."""
    loose: Tensor | None = None
    """[F, S, S] 1 where the nearest point of that outline is of hair, a hat, a hand or a neck: the head ends inside."""

    def __len__(self) -> int:
        return len(self.expression)

    def rows(self, rows: Tensor) -> Observation:
        """Some of the frames."""
        return Observation(**{n: x if n in self.SHARED else x[rows] for n, x in self._tensors().items()})

    @staticmethod
    def joined(parts: Sequence[Observation]) -> Observation:
        """The frames of several, of one person, one after the other."""
        every = [p._tensors() for p in parts]
        return Observation(
            **{n: x if n in Observation.SHARED else torch.cat([p[n] for p in every]) for n, x in every[0].items()}
        )

    def _tensors(self) -> dict[str, Tensor]:
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in every.items() if value is not None}


def observe(
    subject: Subject,
    motion: Motion,
    rest: Motion,
    views: Sequence[View],
    maps: Sequence[DenseMaps],
    landmarks_px: Sequence[np.ndarray | None],
    *,
    outlined: bool = True,
) -> Observation:
    """Put together what is known of some frames.

    rest: the frame at which the shoulders are at rest (head/state.py). landmarks_px: [478, 2] px of the pictures,
    or None where no face was seen. outlined: look for the outline of the head.
    """
    cameras, marks = [], []
    for view, points in zip(views, landmarks_px, strict=True):
        crop = view.crop
        height, width = view.picture.shape[:2]
        middle = crop.to_crop(np.asarray([width / 2, height / 2]))
        cameras.append([view.focal_px / crop.scale, *middle])
        marks.append(np.full((478, 2), np.nan) if points is None else crop.to_crop(points))
    size = maps[0].classes.shape
    known = [view.inside(size[0]) for view in views]
    unknown = np.full(size, np.nan, np.float32)
    numbers = {
        "camera": np.asarray(cameras),
        "landmarks": np.stack(marks),
        "normals": np.stack([m.normals for m in maps]),
        "certainty": np.stack([m.certainty * k for m, k in zip(maps, known, strict=True)]),
        "depth": np.stack(
            [unknown if m.depth is None else np.where(k, m.depth, np.nan) for m, k in zip(maps, known, strict=True)]
        ),
    }
    if outlined:
        covers = [_hats_as_hair(m.classes, face) for m, face in zip(maps, marks, strict=True)]
        numbers["outline"] = np.stack([_outline(_head(c), k) for c, k in zip(covers, known, strict=True)])
        numbers["loose"] = np.stack([_loose(c, face) for c, face in zip(covers, marks, strict=True)])
    tensors = {k: torch.from_numpy(np.ascontiguousarray(v, np.float32)) for k, v in numbers.items()}
    return Observation(
        expression=motion.expression,
        gaze=motion.gaze,
        R_cam_head=motion.rotation,
        t_cam_head=motion.translation,
        R_cam_torso=rest.rotation.expand(len(motion), 3, 3),
        t_cam_torso=rest.translation + torso_translation(subject.head, rest, motion),
        placement=subject.placement,
        classes=torch.from_numpy(np.stack([m.classes for m in maps])),
        **tensors,
    )


def _head(classes: np.ndarray) -> np.ndarray:
    """[S, S] uint8 -> [S, S] bool: head and hair. What they enclose belongs to them: heads have no holes."""
    return np.asarray(binary_fill_holes(np.isin(classes, HEAD)))


def _hats_as_hair(classes: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """[S, S] uint8, [478, 2] px -> the same classes, but hair for cloth above the eyes: a head ends within either."""
    if np.isnan(landmarks).any():
        return classes
    hat = (classes == CLASSES.index("cloth")) & ~_below_eyes(landmarks, classes.shape)
    return np.where(hat, np.uint8(CLASSES.index("hair")), classes)


def _loose(classes: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """[S, S] uint8, [478, 2] px -> [S, S] 1 where the nearest pixel on the rim of head and hair is not of the head."""
    head = _head(classes)
    rim = head & (np.asarray(distance_transform_edt(head)) < 1.5)
    if not rim.any():
        return np.zeros(head.shape, np.float32)
    nearest = distance_transform_edt(~rim, return_distances=False, return_indices=True)
    loose = (classes == CLASSES.index("hair")) | _beyond_jaw(landmarks, head.shape)
    return loose[tuple(np.asarray(nearest))].astype(np.float32)


def _beyond_jaw(landmarks: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """[S, S] bool: below the eyes and clearly outside of the landmarks, where skin is of a hand or a neck."""
    if np.isnan(landmarks).any():
        return np.zeros(size, bool)
    chin, forehead = landmarks[list(_CHIN_FOREHEAD)]
    face = np.zeros(size, np.uint8)
    cv2.fillConvexPoly(face, np.round(cv2.convexHull(landmarks.astype(np.float32))).astype(np.int32), 1)
    away = np.asarray(distance_transform_edt(face == 0))
    return _below_eyes(landmarks, size) & (away > _BEYOND * float(np.hypot(*(chin - forehead))))


def _below_eyes(landmarks: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """[S, S] bool: on the chin's side of the eyes."""
    chin, forehead = landmarks[list(_CHIN_FOREHEAD)]
    middle, down = landmarks[list(_EYES)].mean(axis=0), chin - forehead
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    return (x - middle[0]) * down[0] + (y - middle[1]) * down[1] > 0


def _outline(head: np.ndarray, known: np.ndarray) -> np.ndarray:
    """[S, S] bool -> signed distance from its edge, px. Where the picture ends, the head does not."""
    if not known.any():
        return np.zeros(head.shape, np.float32)
    if not known.all():
        nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
        head = head[tuple(np.asarray(nearest))]
    if head.all() or not head.any():
        return np.zeros(head.shape, np.float32)
    away = np.asarray(distance_transform_edt(~head)) - np.asarray(distance_transform_edt(head))
    return np.clip(away, -_FAR_PX, _FAR_PX).astype(np.float32)
