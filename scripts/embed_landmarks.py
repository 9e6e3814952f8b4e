# SPDX-License-Identifier: Apache-2.0
"""Measure the mean displacement of detected landmarks from the mesh's: ``python -m scripts.embed_landmarks``.

The mesh ties each landmark to one place of its skin, found on renders of a plain head
(scripts/build_head/landmarks.py). This script renders synthetic people with known heads, cameras and codes, and fits
one shift of each landmark in head space to the differences between detected and true landmarks (robust least squares).
It writes `assets/landmark_shifts.safetensors` and prints the error on held-out people with and without the shifts.
"""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from reenact.app.progress import ProgressLine
from reenact.head.state import HeadState
from reenact.lab.synthetic import random_scene, render_portraits, synthetic_person
from reenact.lab.synthetic.noise import rng
from reenact.lab.training.data.expression_portraits import random_expression
from reenact.media.arrays import write_arrays
from reenact.perception.landmark_network import LandmarkNetwork
from reenact.perception.landmarks import Roi
from reenact.tracking.placement import SHIFTS
from reenact.tracking.scheme import IRIS

_FIRST_SEED: Final = 3_500_000  # of nobody who is trained on or measured
_SIZE: Final = 320  # px of the picture
_DISTANCE_M: Final = (0.45, 2.0)
_YAW, _PITCH, _ROLL = 0.35, 0.2, 0.1  # standard deviations of the head's angles, rad
_CALM: Final = 0.5  # share of the codes that is acted: places are sought, not what mouths do
_LOST: Final = 0.06  # of the face's radius: beyond, the face was not found where it is
_SHIFT_SIGMA, _POINT_SIGMA = 0.004, 0.0025  # m: how far points may shift, and how far single detections scatter
_ROBUST_STEPS: Final = 6


@dataclass(frozen=True)
class Arguments:
    """Measure the shifts."""

    people: int = 120
    """To learn from."""
    held_out: int = 12
    """People to measure on."""
    each: int = 5
    """Pictures of each."""


@dataclass(frozen=True)
class LandmarkResiduals:
    """Differences between detected and true landmarks of N faces, metres of a head of the base adult's size."""

    residual: NDArray[np.float64]  # [N, 478, 2] detected minus true, camera x and y, at the true depth
    jacobian: NDArray[np.float64]  # [N, 2, 3] of the residual, by a shift in head space
    radius: NDArray[np.float64]  # [N] root mean square radius of the face in the picture


def main(arguments: Arguments) -> None:
    """Write the shifts and print the error on held-out people."""
    with ProgressLine(sys.stderr) as progress, closing(LandmarkNetwork(None, video=False)) as network:
        total, parts = arguments.people + arguments.held_out, []
        for person in range(total):
            parts.append(residuals_of(_FIRST_SEED + person, arguments.each, network))
            progress("detecting landmarks", person + 1, total)
    learnt, others = concatenated(parts[: arguments.people]), concatenated(parts[arguments.people :])
    shifts = fit_shifts(learnt)
    write_arrays(SHIFTS, {"shifts": shifts})
    median_mm = 1e3 * float(np.median(np.linalg.norm(shifts, axis=1)))
    print(f"{SHIFTS}: {len(learnt.residual)} faces, median shift {median_mm:.2f} mm")
    for name, value in (("without", np.zeros_like(shifts)), ("with", shifts)):
        percent = 100 * median_error(others, value)
        print(f"{name} shifts: {percent:.2f} % of the face's radius on held-out people")


def median_error(faces: LandmarkResiduals, shifts: NDArray[np.floating]) -> float:
    """Return the median distance of single landmarks, in radii of their face, after shifts [478, 3] metres."""
    left = faces.residual - np.einsum("nij,lj->nli", faces.jacobian, shifts)
    return float(np.median(np.linalg.norm(left, axis=2) / faces.radius[:, None]))


def residuals_of(seed: int, each: int, network: LandmarkNetwork) -> LandmarkResiduals:
    """Render one synthetic person `each` times and detect landmarks; faces that are not detected are left out."""
    person, draw = synthetic_person(seed), rng(seed, "embedding")
    near, far = np.log(_DISTANCE_M)
    scenes, states = [], []
    for i in range(each):
        scene = replace(random_scene(seed * 100 + i), distance_m=float(np.exp(draw.uniform(near, far))) * person.size)
        turn = Rotation.from_euler("YXZ", draw.normal(0.0, (_YAW, _PITCH, _ROLL))).as_matrix()
        rotation = (turn @ np.diag([1.0, -1.0, -1.0])).astype(np.float32)
        codes = (_CALM * random_expression(seed, i)).astype(np.float32)
        scenes.append(scene)
        states.append(HeadState(codes, np.zeros((2, 2), np.float32), rotation, scene.head_at(person)))
    with torch.no_grad():
        drawn = render_portraits([person], states, scenes, _SIZE)
    found = LandmarkResiduals(np.zeros((0, 478, 2)), np.zeros((0, 2, 3)), np.zeros(0))
    for state, camera, image, marks in zip(states, drawn.cameras, drawn.images, drawn.landmarks, strict=True):
        true = marks[:, :2].astype(np.float64)
        roi = Roi.around(marks[:, :2])
        seen = network(roi.extract(image))
        if seen is None:
            continue
        metres = (marks[:, 2:] / (camera.focal_px * person.size)).astype(np.float64)  # of a pixel
        residual = (seen.points * roi.side + (roi.x0, roi.y0) - true) * metres
        middle = np.median(true, axis=0)
        radius = float(np.sqrt((((true - middle) * metres) ** 2).sum(axis=1).mean()))
        if np.median(np.linalg.norm(residual, axis=1)) > _LOST * radius:
            continue
        # Towards the camera a point moves off the picture's middle by the slope of its line of sight.
        slope = (middle - (camera.cx, camera.cy)) / camera.focal_px
        view = np.asarray([[1.0, 0.0, -slope[0]], [0.0, 1.0, -slope[1]]])
        found = concatenated(
            [found, LandmarkResiduals(residual[None], (view @ state.R_cam_head)[None], np.asarray([radius]))]
        )
    return found


def concatenated(parts: list[LandmarkResiduals]) -> LandmarkResiduals:
    """Concatenate along the faces."""
    return LandmarkResiduals(
        np.concatenate([p.residual for p in parts]),
        np.concatenate([p.jacobian for p in parts]),
        np.concatenate([p.radius for p in parts]),
    )


def fit_shifts(seen: LandmarkResiduals) -> NDArray[np.float32]:
    """Fit shifts [478, 3], metres in canonical head space, by iteratively reweighted least squares.

    Irises turn with the gaze and are not shifted.
    """
    count = seen.residual.shape[1]
    shifts = np.zeros((count, 3))
    prior = np.eye(3) * (_POINT_SIGMA / _SHIFT_SIGMA) ** 2
    for _ in range(_ROBUST_STEPS):
        left = seen.residual - np.einsum("nij,lj->nli", seen.jacobian, shifts)
        weight = 1.0 / (1.0 + (left**2).sum(axis=2) / (2 * _POINT_SIGMA) ** 2)  # Cauchy
        normal = np.einsum("nl,nij,nik->ljk", weight, seen.jacobian, seen.jacobian) + prior
        right = np.einsum("nl,nij,nli->lj", weight, seen.jacobian, seen.residual)
        shifts = np.linalg.solve(normal, right[..., None])[..., 0]
    shifts[[*IRIS[0], *IRIS[1]]] = 0.0
    return shifts.astype(np.float32)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
