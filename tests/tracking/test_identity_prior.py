# SPDX-License-Identifier: Apache-2.0
"""The identity prior: its factor, its order, whom it serves, and that it helps with noisy landmarks."""

from __future__ import annotations

from copy import copy

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from reenact.head.head_model import head_model
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.tracking.face_model import identity_landmarks, landmark_model
from reenact.tracking.fit import fit_identity
from reenact.tracking.identity_prior import IdentityPrior, identity_prior
from reenact.tracking.normal_equations import project
from reenact.tracking.placement import mean_placement

HEAD = open_head()
PRIOR = identity_prior(HEAD)
UNIT_PRIOR = IdentityPrior(torch.zeros(HEAD.identity_size), torch.eye(HEAD.identity_size))
SIDE, FOCAL = 512, 1400.0


def test_draws_have_the_shipped_moments() -> None:
    z = torch.from_numpy(np.random.default_rng(0).standard_normal((20_000, HEAD.identity_size)).astype(np.float32))
    draws = torch.stack([PRIOR.identity(row) for row in z]).numpy()
    wanted = (PRIOR.factor @ PRIOR.factor.T).numpy()
    assert np.abs(draws.mean(axis=0) - PRIOR.mean.numpy()).max() < 0.1
    assert np.linalg.norm(np.cov(draws.T) - wanted) < 0.1 * np.linalg.norm(wanted)
    assert np.linalg.eigvalsh(wanted).min() > 0.05  # no direction is impossible


def test_leading_components_move_the_landmarks_most() -> None:
    basis = identity_landmarks(HEAD, HEAD.identity_size).numpy()
    moved = (np.tensordot(PRIOR.factor.T.numpy(), basis, axes=1) ** 2).sum(axis=(1, 2))
    assert (np.diff(moved) <= 1e-4 * moved[0]).all()
    assert moved[:30].sum() > 0.9 * moved.sum()


def test_other_heads_get_the_unit_prior() -> None:
    other = copy(HEAD)
    other.name = "another head"
    assert other.name != HEAD.name
    prior = identity_prior(other)
    assert (prior.mean == 0).all()
    assert (prior.factor == torch.eye(other.identity_size)).all()


@pytest.mark.slow
def test_people_of_the_prior_are_found_better_than_by_the_unit_prior() -> None:
    rng = np.random.default_rng(11)
    turns = Rotation.from_euler("xyz", [[0, -0.35, 0], [0.1, 0, 0], [0, 0.35, 0]]).as_matrix() @ np.diag([1.0, -1, -1])
    act = Motion(np.zeros((3, 52)), np.zeros((3, 2, 2)), turns, [[0, 0.02, 0.75]] * 3)
    mine, unit = [], []
    for _ in range(4):
        truth = PRIOR.identity(torch.from_numpy(rng.standard_normal(HEAD.identity_size).astype(np.float32)))
        lm = landmark_model(head_model(HEAD).personalise(truth, adapted=False), mean_placement(HEAD))
        points = project(lm, act, FOCAL).numpy() + SIDE / 2
        points = (points + rng.normal(size=points.shape) * 1.5).astype(np.float32)
        for prior, errors in (
            (PRIOR, mine),
            (IdentityPrior(torch.zeros(HEAD.identity_size), torch.eye(HEAD.identity_size)), unit),
        ):
            found = fit_identity(HEAD, points, SIDE, SIDE, prior=prior)
            errors.append(_apart(HEAD.neutral(found.shape), HEAD.neutral(truth)))
    assert np.mean(mine) < np.mean(unit)


def _apart(first: torch.Tensor, second: torch.Tensor) -> float:
    """Median distance of the landmarks, metres, at one size and place: one camera does not tell size."""
    a, b = (HEAD.topology.at_landmarks(x)[:468].numpy() for x in (first, second))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    a = a * np.sqrt((b**2).sum() / (a**2).sum())
    return float(np.median(np.linalg.norm(a - b, axis=1)))
