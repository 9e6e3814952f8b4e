# SPDX-License-Identifier: Apache-2.0
"""Pose evidence in the fit: its terms are those of its energy, and it decides where landmarks leave a choice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from reenact.head.head_model import head_model
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.perception.evidence import ExpressionEvidence, PoseEvidence
from reenact.tracking.face_model import LandmarkModel, landmark_model
from reenact.tracking.fit import fit_identity
from reenact.tracking.normal_equations import project, stepped
from reenact.tracking.solve import FREE, prior_terms, ray_frame
from reenact.tracking.start import STARTING_DISTANCE_M, observations, starting_focal


def parameters() -> Motion:
    turn = Rotation.from_euler("YXZ", [[0.3, -0.1, 0.2], [0.0, 0.2, 0.0]]).as_matrix() @ np.diag([1.0, -1.0, -1.0])
    return Motion(np.zeros((2, 52)), np.zeros((2, 2, 2)), turn, [[0.2, -0.1, 0.8], [-0.05, 0.0, 0.5]])


def mean_landmarks() -> LandmarkModel:
    """Of the mean person."""
    return landmark_model(head_model(open_head()).personalise(torch.zeros(open_head().identity_size), adapted=False))


def known(pose: PoseEvidence) -> ExpressionEvidence:
    return ExpressionEvidence(np.zeros((2, 52), np.float32), np.full((2, 52), np.inf, np.float32), pose)


def evidence(p: Motion, turn: np.ndarray, log_distance: float = 0.0) -> PoseEvidence:
    """Of heads turned by a rotation vector [3] rad about the line of sight's axes from where they are."""
    R = ray_frame(p.translation).transpose(1, 2) @ p.rotation
    turned = Rotation.from_rotvec(turn).as_matrix() @ R.numpy()
    sigma = np.repeat(np.asarray([[0.05, 0.1, 0.2]], np.float32), 2, axis=0)
    distance = np.full(2, log_distance, np.float32)
    return PoseEvidence(turned.astype(np.float32), sigma, distance, np.full(2, 0.2, np.float32))


def test_a_line_of_sight_is_where_its_axis_points() -> None:
    frames = ray_frame(torch.tensor([[0.0, 0.0, 2.0], [0.5, -0.3, 1.0]]))
    torch.testing.assert_close(frames[0], torch.eye(3))
    axis = torch.tensor([0.5, -0.3, 1.0])
    torch.testing.assert_close(frames[1] @ torch.tensor([0.0, 0.0, 1.0]), axis / axis.norm())
    torch.testing.assert_close(frames @ frames.transpose(1, 2), torch.eye(3).repeat(2, 1, 1), atol=1e-6, rtol=0)


def test_the_step_against_pose_evidence_alone_arrives_at_it() -> None:
    p = parameters()
    lm = mean_landmarks()
    points = (project(lm, p, 700.0) + 256.0).numpy()
    for turn in ([0.02, 0.0, 0.0], [0.01, -0.03, 0.05]):
        obs = observations(points, (256.0, 256.0), known(evidence(p, np.asarray(turn))))
        gradient, hessian = prior_terms(p, obs, 1.0)
        step = -torch.linalg.solve(hessian[:, :3, :3], gradient[:, :3])
        whole = torch.cat([step, torch.zeros(2, 3 + len(FREE) + 4)], dim=1)
        away = stepped(p, whole, FREE, torch.ones(len(FREE)))
        wanted = ray_frame(p.translation) @ obs.R_ray_head
        torch.testing.assert_close(away.rotation, wanted, atol=2e-3, rtol=0)
    nothing = observations(points, (256.0, 256.0))
    gradient, hessian = prior_terms(p, nothing, 1.0)
    assert (gradient[:, :3] == 0).all() and (hessian[:, :3, :3] == 0).all()


def test_the_focal_length_follows_the_distance_that_is_seen() -> None:
    p = parameters()
    lm = mean_landmarks()
    points = (project(lm, p, 700.0) + 256.0).numpy()
    obs = observations(points, (256.0, 256.0))
    usual = starting_focal(lm, obs)
    far = starting_focal(lm, obs, evidence(p, np.zeros(3), float(np.log(2.0 * STARTING_DISTANCE_M))))
    assert 1.5 < far / usual < 2.0
    same = starting_focal(lm, obs, evidence(p, np.zeros(3), float(np.log(STARTING_DISTANCE_M))))
    assert same == pytest.approx(usual, rel=1e-5)
    near, far = (
        fit_identity(open_head(), points, 512, 512, known(evidence(p, np.zeros(3), float(np.log(d)))))
        for d in (STARTING_DISTANCE_M, 2.0 * STARTING_DISTANCE_M)
    )
    assert far.camera.focal_px > 1.6 * near.camera.focal_px  # 1.45 if landmarks may change it by a tenth
