# SPDX-License-Identifier: Apache-2.0
"""Where the fit starts: weights of the observations, a focal length, a pose for each frame."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from reenact.head.landmarks import FACE_LANDMARKS, FACE_OVAL, IRIS, LIPS
from reenact.head.mesh import rms_radius
from reenact.head.motion import Motion
from reenact.perception.evidence import ExpressionEvidence, PoseEvidence

from .face_model import LandmarkModel
from .normal_equations import Observations
from .priors import code_prior
from .scheme import difference_weights, eye_openness, point_weights

# Portraits are taken from arm's length to across a table; the perspective of a face hardly tells which.
STARTING_DISTANCE_M = 0.8
USUAL_DISTANCE_SIGMA = 0.5
"""Of its logarithm."""
_RIGID = sorted(set(range(FACE_LANDMARKS)) - set(FACE_OVAL) - set(LIPS))


def observations(
    points_px: np.ndarray, centre_px: tuple[float, float], evidence: ExpressionEvidence | None = None
) -> Observations:
    """Weigh landmarks [F, 478, 2] px of the picture, about the principal point, and the evidence of F frames."""
    mean, sigma = code_prior(len(points_px), evidence)
    low, high = 0.10, 0.22  # below these lid gaps the iris points come to be guesses of the detector
    shown = np.clip((eye_openness(points_px) - low) / (high - low), 0.01, 1.0)
    arrays = points_px - np.asarray(centre_px), rms_radius(points_px[:, :FACE_LANDMARKS]), shown, mean, sigma**-2
    points, size, shown, mean, precision = (torch.from_numpy(array).float() for array in arrays)
    weights = point_weights().repeat(len(points), 1)
    for eye, rows in enumerate(IRIS):
        weights[:, rows] *= shown[:, eye, None]
    return Observations(
        points,
        size,
        weights,
        difference_weights().repeat(len(points), 1),
        mean,
        precision,
        *_pose_prior(len(points_px), None if evidence is None else evidence.pose),
    )


def _pose_prior(frames: int, pose: PoseEvidence | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Rotations [F, 3, 3] and precisions [F, 3]."""
    if pose is None:
        return torch.eye(3).repeat(frames, 1, 1), torch.zeros(frames, 3)
    rotation, precision = (torch.from_numpy(array) for array in (pose.R_ray_head, pose.rotation_sigma**-2))
    return rotation, precision


def starting_focal(model: LandmarkModel, obs: Observations, pose: PoseEvidence | None = None) -> float:
    """Focal length, px, that puts the median face at the usual distance, or where the evidence sees it.

    What networks say of the distance errs alike in all frames of a clip: together they are worth the median one.
    """
    log_distance = np.log(STARTING_DISTANCE_M)
    if pose is not None:
        own, usual = float(np.median(pose.log_distance_sigma)) ** -2, USUAL_DISTANCE_SIGMA**-2
        log_distance = (own * float(np.median(pose.log_distance)) + usual * log_distance) / (own + usual)
    return float(np.exp(log_distance)) * float(obs.face_px.median()) / model.size


def starting_pose(model: LandmarkModel, obs: Observations, focal: float) -> Motion:
    """Neutral faces posed by perspective-n-point on the points that expressions move least."""
    camera = np.asarray([[focal, 0, 0], [0, focal, 0], [0, 0, 1]], np.float64)
    neutral = model.neutral.numpy()[_RIGID].astype(np.float64)
    rotations, translations = [], []
    for points in obs.points.numpy():
        _, vector, t = cv2.solvePnP(
            neutral, points[_RIGID].astype(np.float64), camera, np.zeros(0), flags=cv2.SOLVEPNP_SQPNP
        )
        rotations.append(cv2.Rodrigues(vector)[0])
        translations.append(t[:, 0])
    count = len(rotations)
    return Motion(np.zeros((count, 52)), np.zeros((count, 2, 2)), np.asarray(rotations), np.asarray(translations))
