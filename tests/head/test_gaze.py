# SPDX-License-Identifier: Apache-2.0
"""Gaze angles and eyeLook activations say the same thing."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from reenact.head.arkit import index
from reenact.head.gaze import (
    eye_rotations,
    gaze_of,
    gaze_rotation_derivatives,
    gaze_rotations,
    look_activations,
    look_derivatives,
    with_gaze,
)
from reenact.head.open import open_head

LIMITS = open_head().gaze_limits
ANGLES = arrays(np.float32, (3, 2, 2), elements=st.floats(-0.25, 0.25, width=32))


@given(ANGLES)
def test_gaze_survives_the_way_through_actions(gaze: np.ndarray) -> None:
    codes = with_gaze(np.zeros((3, 52), np.float32), gaze, LIMITS)
    np.testing.assert_allclose(gaze_of(codes, LIMITS), gaze, atol=1e-5)


@given(ANGLES)
def test_eye_rotations_are_rotations_onto_the_line_of_sight(gaze: np.ndarray) -> None:
    turn = eye_rotations(gaze)
    np.testing.assert_allclose(turn @ np.swapaxes(turn, -1, -2), np.broadcast_to(np.eye(3), turn.shape), atol=1e-6)
    sight = turn[..., :, 2]
    np.testing.assert_allclose(np.arcsin(sight[..., 1]), gaze[..., 1], atol=1e-5)
    np.testing.assert_allclose(np.arctan2(sight[..., 0], sight[..., 2]), gaze[..., 0], atol=1e-5)


def test_looking_to_the_subjects_left_is_out_for_the_left_eye_and_in_for_the_right() -> None:
    gaze = np.zeros((1, 2, 2), np.float32)
    gaze[..., 0] = 0.2
    codes = with_gaze(np.zeros((1, 52), np.float32), gaze, LIMITS)[0]
    assert codes[index("eyeLookOutLeft")] > 0 and codes[index("eyeLookInRight")] > 0
    assert codes[index("eyeLookInLeft")] == codes[index("eyeLookOutRight")] == 0
    assert look_activations(torch.from_numpy(gaze * 100).float(), LIMITS).max() == 2.0  # the lids stop following


def test_derivatives_by_gaze_are_those_of_the_functions() -> None:
    limits = LIMITS.double()
    gaze = torch.tensor([[[0.3, -0.1], [-0.2, 0.15]], [[2.0, -0.4], [0.1, 0.0]]], dtype=torch.float64)
    turn = torch.func.jacrev(gaze_rotations)(gaze)  # [F, 2, 3, 3, F, 2, 2]
    look = torch.func.jacrev(lambda g: look_activations(g, limits))(gaze)  # [F, 2, 4, F, 2, 2]
    for frame in range(2):
        for eye in range(2):
            own = gaze_rotation_derivatives(gaze)[frame, eye].permute(1, 2, 0)
            torch.testing.assert_close(own, turn[frame, eye, :, :, frame, eye])
            if not (frame and eye):  # where the pitch is 0, the activations have a corner
                own = look_derivatives(gaze, limits)[frame, eye]
                torch.testing.assert_close(own, look[frame, eye, :, frame, eye])
