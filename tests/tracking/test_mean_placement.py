# SPDX-License-Identifier: Apache-2.0
"""The mean displacement of detected landmarks from the mesh's: how it is fitted, and that fits start from it."""

from __future__ import annotations

from contextlib import closing
from copy import copy

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from reenact.head.head_model import head_model
from reenact.head.landmarks import IRIS
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.lab.training.landmark_shifts import LandmarkResiduals, fit_shifts, median_error, residuals_of
from reenact.perception.landmark_network import LandmarkNetwork
from reenact.tracking import fit_identity
from reenact.tracking.face_model import landmark_model
from reenact.tracking.normal_equations import project
from reenact.tracking.placement import mean_placement

HEAD = open_head()
SIDE, FOCAL = 512, 1400.0


def test_shifts_are_found_among_scattered_sightings() -> None:
    rng = np.random.default_rng(0)
    shifts = rng.normal(0.0, 0.002, (478, 3))
    turns = Rotation.from_euler("YX", rng.normal(0.0, (0.5, 0.3), (200, 2))).as_matrix()
    view = turns[:, :2]
    away = np.einsum("nij,lj->nli", view, shifts) + rng.normal(0.0, 0.001, (200, 478, 2))
    away[::10] += 0.05  # lost faces
    found = fit_shifts(LandmarkResiduals(away, view, np.ones(200)))
    seen = np.setdiff1d(np.arange(478), [*IRIS[0], *IRIS[1]])
    assert np.sqrt(((found - shifts)[seen] ** 2).mean()) < 0.0007
    assert (found[[*IRIS[0], *IRIS[1]]] == 0).all()


def test_the_shipped_shifts_bring_the_mesh_nearer_to_what_is_detected() -> None:
    with closing(LandmarkNetwork(None, video=False)) as network:
        faces = residuals_of([3_600_000], 4, network)  # of nobody from whom the shifts were learnt
    shifts = mean_placement(HEAD).numpy()
    assert len(faces.radius) >= 3
    assert median_error(faces, shifts) < 0.97 * median_error(faces, 0 * shifts) < median_error(faces, -shifts)


def test_the_shipped_shifts_are_of_the_open_head_alone_and_small() -> None:
    far = np.linalg.norm(mean_placement(HEAD).numpy(), axis=1)
    assert 0.001 < np.median(far) < 0.003
    assert (far > 0.012).sum() == 8 and far.max() < 0.05  # where jaws meet ears, the network sees points at the ears
    other = copy(HEAD)
    other.name = "another head"
    assert (mean_placement(other) == 0).all()


def test_a_fit_begins_with_the_mean_placement() -> None:
    """An average face whose points lie where the network sees them needs hardly a shift of its own."""
    turns = Rotation.from_euler("xyz", [[0, -0.35, 0], [0.1, 0, 0], [0, 0.35, 0]]).as_matrix() @ np.diag([1.0, -1, -1])
    act = Motion(np.zeros((3, 52)), np.zeros((3, 2, 2)), turns, [[0, 0.02, 0.75]] * 3)
    mean = mean_placement(HEAD)
    lm = landmark_model(head_model(HEAD).personalise(torch.zeros(HEAD.identity_size), adapted=False), mean)
    found = fit_identity(HEAD, (project(lm, act, FOCAL) + SIDE / 2).numpy(), SIDE, SIDE)
    own, usual = (np.linalg.norm(shift.numpy(), axis=1) for shift in (found.placement - mean, mean))
    assert np.median(own) < 0.1 * np.median(usual)
    assert own.max() < 0.3 * usual.max()
