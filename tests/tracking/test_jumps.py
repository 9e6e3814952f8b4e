# SPDX-License-Identifier: Apache-2.0
"""Jumps of the face are found at their frame; quick motion is none, and smoothing does not reach across a jump."""

from __future__ import annotations

import numpy as np
import pytest

from reenact.tracking.refine import find_jumps

RNG = np.random.default_rng(0)
FACE = RNG.normal(size=(478, 2)) * 60


def turning(frames: int, speed: float) -> np.ndarray:
    """[F, 478, 2] a face that swings to and fro, with a little noise of the detector."""
    swing = 80 * np.sin(speed * np.arange(frames))
    stretch = 1 - 0.2 * np.sin(speed * np.arange(frames)) ** 2
    points = FACE[None] * np.stack([stretch, np.ones(frames)], axis=1)[:, None]
    points = points + np.stack([swing, 0.3 * swing], axis=1)[:, None] + 250
    return (points + RNG.normal(size=points.shape) * 0.3).astype(np.float32)


@pytest.mark.parametrize("at", [1, 2, 20, 38, 39])
def test_a_jump_is_found_at_its_frame(at: int) -> None:
    points = turning(40, 0.15)
    points[at:] += np.asarray([25.0, -9.0], np.float32)
    assert np.flatnonzero(find_jumps(points)).tolist() == [at - 1]


@pytest.mark.parametrize("speed", [0.05, 0.3, 0.8])
def test_quick_motion_is_no_jump(speed: float) -> None:
    assert not find_jumps(turning(80, speed)).any()


def test_clips_of_a_few_frames_have_no_jumps() -> None:
    for frames in (1, 2):
        assert find_jumps(turning(frames, 0.3)).shape == (frames - 1,)
        assert not find_jumps(turning(frames, 2.0)).any()
