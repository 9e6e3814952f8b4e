# SPDX-License-Identifier: Apache-2.0
"""Fit the mean displacement of detected landmarks from the mesh's (`assets/landmark_shifts.safetensors`).

Synthetic people with known heads, cameras and codes are rendered, and one shift of each landmark in head space is
fitted to the differences between detected and true landmarks (robust least squares).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from reenact.head.landmarks import IRIS
from reenact.head.motion import Motion
from reenact.lab.synthetic import random_scene, render_portraits, synthetic_person
from reenact.lab.synthetic.noise import rng
from reenact.perception.landmark_network import LandmarkNetwork
from reenact.perception.landmarks import Roi

from .data.expression_portraits import random_expression


@dataclass(frozen=True)
class LandmarkResiduals:
    """Differences between detected and true landmarks of N faces, metres of a head of the base adult's size."""

    residual: NDArray[np.float64]  # [N, 478, 2] detected minus true, camera x and y, at the true depth
    jacobian: NDArray[np.float64]  # [N, 2, 3] of the residual, by a shift in head space
    radius: NDArray[np.float64]  # [N] root mean square radius of the face in the picture


def median_error(faces: LandmarkResiduals, shifts: NDArray[np.floating]) -> float:
    """Return the median distance of single landmarks, in radii of their face, after shifts [478, 3] metres."""
    left = faces.residual - np.einsum("nij,lj->nli", faces.jacobian, shifts)
    return float(np.median(np.linalg.norm(left, axis=2) / faces.radius[:, None]))


def residuals_of(seeds: Iterable[int], each: int, network: LandmarkNetwork) -> LandmarkResiduals:
    """Render each synthetic person `each` times and detect landmarks; faces that are not detected are left out."""
    faces = [face for seed in seeds for face in _residuals(seed, each, network)]
    residual, jacobian, radius = zip(*faces, strict=True) if faces else ((), (), ())
    return LandmarkResiduals(
        np.reshape(residual, (-1, 478, 2)), np.reshape(jacobian, (-1, 2, 3)), np.asarray(radius, np.float64)
    )


def _residuals(
    seed: int, each: int, network: LandmarkNetwork
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], float]]:
    """Yield residual [478, 2], jacobian [2, 3] and radius of each detected face of one person."""
    person, draw = synthetic_person(seed), rng(seed, "embedding")
    near, far = np.log((0.45, 2.0))  # metres
    scenes, states = [], []
    for i in range(each):
        scene = replace(random_scene(seed * 100 + i), distance_m=float(np.exp(draw.uniform(near, far))) * person.size)
        turn = Rotation.from_euler("YXZ", draw.normal(0.0, (0.35, 0.2, 0.1))).as_matrix()
        rotation = (turn @ np.diag([1.0, -1.0, -1.0])).astype(np.float32)
        codes = (0.5 * random_expression(seed, i)).astype(np.float32)  # places are sought, not what mouths do
        scenes.append(scene)
        states.append(Motion(codes, np.zeros((2, 2)), rotation, scene.head_at(person)))
    with torch.no_grad():
        portraits = render_portraits([person], Motion.joined(states), scenes, 320)
    for state, camera, image, marks in zip(
        states, portraits.cameras, portraits.images, portraits.landmarks, strict=True
    ):
        true = marks[:, :2].astype(np.float64)
        roi = Roi.around(marks[:, :2])
        detected = network(roi.extract(image))
        if detected is None:
            continue
        metres = (marks[:, 2:] / (camera.focal_px * person.size)).astype(np.float64)  # of a pixel
        residual = (detected.points * roi.side + (roi.x0, roi.y0) - true) * metres
        middle = np.median(true, axis=0)
        radius = float(np.sqrt((((true - middle) * metres) ** 2).sum(axis=1).mean()))
        if np.median(np.linalg.norm(residual, axis=1)) > 0.06 * radius:
            continue  # the face was not found where it is
        # Towards the camera a point moves off the picture's middle by the slope of its line of sight.
        slope = (middle - (camera.cx, camera.cy)) / camera.focal_px
        view = np.asarray([[1.0, 0.0, -slope[0]], [0.0, 1.0, -slope[1]]])
        yield residual, view @ state.rotation[0].numpy(), radius


def fit_shifts(faces: LandmarkResiduals) -> NDArray[np.float32]:
    """Fit shifts [478, 3], metres in canonical head space, by iteratively reweighted least squares.

    Irises turn with the gaze and are not shifted.
    """
    count = faces.residual.shape[1]
    shifts = np.zeros((count, 3))
    point_sigma_m, shift_sigma_m = 0.0025, 0.004  # how far single detections scatter, how far points may shift
    prior = np.eye(3) * (point_sigma_m / shift_sigma_m) ** 2
    for _ in range(6):
        left = faces.residual - np.einsum("nij,lj->nli", faces.jacobian, shifts)
        weight = 1.0 / (1.0 + (left**2).sum(axis=2) / (2 * point_sigma_m) ** 2)  # Cauchy
        normal = np.einsum("nl,nij,nik->ljk", weight, faces.jacobian, faces.jacobian) + prior
        right = np.einsum("nl,nij,nli->lj", weight, faces.jacobian, faces.residual)
        shifts = np.linalg.solve(normal, right[..., None])[..., 0]
    shifts[[*IRIS[0], *IRIS[1]]] = 0.0
    return shifts.astype(np.float32)
