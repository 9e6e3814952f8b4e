# SPDX-License-Identifier: Apache-2.0
"""The expression network's output as evidence, and the network with its normalisations taken in."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from reenact.head.arkit import ACTIONS, index
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.lab.training.data.expression_portraits import seen_rotation
from reenact.lab.training.expression import rotation_vector
from reenact.perception.efficientnet import fused
from reenact.perception.expression import evidence
from reenact.perception.expression_network import CODES, DISTANCE, OUTPUTS, ROTATION, ExpressionNet, ExpressionOutput
from reenact.tracking.solve import ray_frame

SNEER, TONGUE = index("noseSneerLeft"), index("tongueOut")


def test_a_fused_network_says_the_same() -> None:
    net = ExpressionNet()
    with torch.no_grad():
        for part in net.modules():
            if isinstance(part, torch.nn.BatchNorm2d):
                assert part.running_mean is not None and part.running_var is not None
                part.running_mean.normal_(0.0, 0.1)
                part.running_var.uniform_(0.5, 1.5)
        net.head.weight.normal_(0.0, 0.1)
        net.eval()
        pictures = torch.rand(2, 3, 64, 64)
        plain, quick = net(pictures), fused(net)(pictures)
    assert plain.mean.std() > 0.1
    torch.testing.assert_close(quick.mean, plain.mean, atol=1e-4, rtol=1e-3)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in fused(net).modules())


def test_the_pose_that_training_teaches_is_the_pose_that_tracking_is_told() -> None:
    """A turned head at the picture's edge, tilted: rotation -> what the crop shows -> evidence -> the same rotation."""
    head = open_head()
    marks = head.topology.at_landmarks(head.neutral(torch.zeros(head.identity_size))).numpy()
    R = Rotation.from_euler("YXZ", [0.4, -0.2, 0.5]).as_matrix() @ np.diag([1.0, -1.0, -1.0])
    t = np.asarray([0.25, -0.1, 0.9])
    posed = marks @ R.T + t
    points = 800.0 * posed[:, :2] / posed[:, 2:] + 256.0
    shown = seen_rotation(Motion(np.zeros(52), np.zeros((2, 2)), R, t), points)
    mean = torch.zeros(1, OUTPUTS)
    mean[:, ROTATION] = rotation_vector(torch.from_numpy(shown)[None])
    mean[:, DISTANCE] = -0.3
    found = evidence(ExpressionOutput(mean, torch.zeros(1, OUTPUTS)), np.full(OUTPUTS, 2.0), points).pose
    assert found is not None
    back = ray_frame(torch.from_numpy(t).float()[None])[0].numpy() @ found.R_ray_head[0]
    np.testing.assert_allclose(back, R, atol=1e-5)
    assert found.log_distance[0] == np.float32(-0.3) and found.log_distance_sigma[0] == 2.0
    np.testing.assert_allclose(found.rotation_sigma, 2.0)


def test_deviations_are_widened_and_the_tongue_is_left_to_its_detector() -> None:
    mean, log_variance = torch.full((1, OUTPUTS), 0.4), torch.full((1, OUTPUTS), 2 * float(np.log(0.1)))
    points = np.random.default_rng(0).uniform(0, 100, (478, 2))
    spread = np.ones(OUTPUTS)
    spread[CODES][SNEER] = 3.0
    found = evidence(ExpressionOutput(mean, log_variance), spread, points)
    assert found.mean.shape == (1, len(ACTIONS)) and found.mean[0, SNEER] == np.float32(0.4)
    np.testing.assert_allclose(found.sigma[0, SNEER] / found.sigma[0, index("jawOpen")], 3.0, rtol=1e-5)
    assert found.sigma[0, SNEER] >= 0.3
    assert np.isinf(found.sigma[0, TONGUE]) and np.isinf(found.sigma[0, index("eyeLookInLeft")])
