# SPDX-License-Identifier: Apache-2.0
"""Measure where the landmark network sees each point of a face: ``python -m scripts.embed_landmarks``.

The mesh ties each landmark to one place of its skin, found by showing renders of a plain head to the network
(scripts/build_head/landmarks.py). Here synthetic people with known heads, cameras and codes are shown; what is left
between the points that the network finds and those of the mesh is put down to one shift of each point in head space,
the one that explains most faces (robust least squares). Written is `assets/landmark_shifts.safetensors`; faces of
other people tell how much nearer the shifted points lie.
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
from reenact.data.expression_portraits import random_expression
from reenact.data.synthetic import random_scene, render_portraits, synthetic_person
from reenact.data.synthetic.noise import rng
from reenact.heads.state import HeadState
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
_SHIFT_SIGMA, _POINT_SIGMA = 0.004, 0.0025  # m: how far points may shift, and how far single sightings scatter
_ROBUST_STEPS: Final = 6


@dataclass(frozen=True)
class Arguments:
    """Measure the shifts."""

    people: int = 100
    """To learn from."""
    held_out: int = 10
    """People to measure on."""
    each: int = 5
    """Pictures of each."""


@dataclass(frozen=True)
class Sightings:
    """N faces; positions in metres of a head of the base adult's size."""

    away: NDArray[np.float64]  # [N, 478, 2] from the mesh's point to the network's, at the mesh's depth
    by_shift: NDArray[np.float64]  # [N, 2, 3] derivative by a shift in head space
    radius: NDArray[np.float64]  # [N] of the face


def main(arguments: Arguments) -> None:
    """Write the shifts and print how much nearer points of other people lie."""
    with ProgressLine(sys.stderr) as progress, closing(LandmarkNetwork(None, video=False)) as network:
        total, parts = arguments.people + arguments.held_out, []
        for person in range(total):
            parts.append(sightings(_FIRST_SEED + person, arguments.each, network))
            progress("looking at people", person + 1, total)
    learnt, others = joined(parts[: arguments.people]), joined(parts[arguments.people :])
    shifts = fitted_shifts(learnt)
    write_arrays(SHIFTS, {"shifts": shifts})
    print(f"{SHIFTS}: {len(learnt.away)} faces, median shift {1e3 * np.median(np.linalg.norm(shifts, axis=1)):.2f} mm")
    for name, value in (("mesh", np.zeros_like(shifts)), ("shifted", shifts)):
        far = np.linalg.norm(others.away - np.einsum("nij,lj->nli", others.by_shift, value), axis=2)
        print(f"{name}: {100 * np.median(far / others.radius[:, None]):.2f} % of the face's radius on held-out people")


def sightings(seed: int, each: int, network: LandmarkNetwork) -> Sightings:
    """Draw one person and look at the pictures; faces that are not found are left out."""
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
    found = Sightings(np.zeros((0, 478, 2)), np.zeros((0, 2, 3)), np.zeros(0))
    for state, camera, image, marks in zip(states, drawn.cameras, drawn.images, drawn.landmarks, strict=True):
        true = marks[:, :2].astype(np.float64)
        roi = Roi.around(marks[:, :2])
        seen = network(roi.extract(image))
        if seen is None:
            continue
        metres = (marks[:, 2:] / (camera.focal_px * person.size)).astype(np.float64)  # of a pixel
        away = (seen.points * roi.side + (roi.x0, roi.y0) - true) * metres
        middle = np.median(true, axis=0)
        radius = float(np.sqrt((((true - middle) * metres) ** 2).sum(axis=1).mean()))
        if np.median(np.linalg.norm(away, axis=1)) > _LOST * radius:
            continue
        # Towards the camera a point moves off the picture's middle by the slope of its line of sight.
        slope = (middle - (camera.cx, camera.cy)) / camera.focal_px
        view = np.asarray([[1.0, 0.0, -slope[0]], [0.0, 1.0, -slope[1]]])
        found = joined([found, Sightings(away[None], (view @ state.R_cam_head)[None], np.asarray([radius]))])
    return found


def joined(parts: list[Sightings]) -> Sightings:
    """Put faces one after another."""
    return Sightings(
        np.concatenate([p.away for p in parts]),
        np.concatenate([p.by_shift for p in parts]),
        np.concatenate([p.radius for p in parts]),
    )


def fitted_shifts(seen: Sightings) -> NDArray[np.float32]:
    """[478, 3] metres in head space, canonical axes, by iteratively reweighted least squares; irises stay."""
    count = seen.away.shape[1]
    shifts = np.zeros((count, 3))
    prior = np.eye(3) * (_POINT_SIGMA / _SHIFT_SIGMA) ** 2
    for _ in range(_ROBUST_STEPS):
        left = seen.away - np.einsum("nij,lj->nli", seen.by_shift, shifts)
        weight = 1.0 / (1.0 + (left**2).sum(axis=2) / (2 * _POINT_SIGMA) ** 2)  # Cauchy
        normal = np.einsum("nl,nij,nik->ljk", weight, seen.by_shift, seen.by_shift) + prior
        right = np.einsum("nl,nij,nli->lj", weight, seen.by_shift, seen.away)
        shifts = np.linalg.solve(normal, right[..., None])[..., 0]
    shifts[[*IRIS[0], *IRIS[1]]] = 0.0
    return shifts.astype(np.float32)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
