# SPDX-License-Identifier: Apache-2.0
"""Expression evidence: fused by precision, and the prior of the codes where it is the more certain."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors.numpy import load_file

from reenact.head.arkit import ACTIONS, index
from reenact.perception.blendshapes import CURVES, LEVELS, blendshape_evidence
from reenact.perception.evidence import ExpressionEvidence, PoseEvidence, fuse
from reenact.tracking.priors import EVIDENCE_SCALE, action_sigmas, code_prior

SMILE, PUFF = index("mouthSmileLeft"), index("cheekPuff")


def evidence(mean: float, sigma: float, frames: int = 2) -> ExpressionEvidence:
    shape = (frames, len(ACTIONS))
    return ExpressionEvidence(np.full(shape, mean, np.float32), np.full(shape, sigma, np.float32))


def test_sources_count_by_their_precision() -> None:
    both = fuse([evidence(0.2, 0.1), evidence(0.8, 0.2)])
    np.testing.assert_allclose(both.mean, (0.2 / 0.01 + 0.8 / 0.04) / (1 / 0.01 + 1 / 0.04), rtol=1e-6)
    np.testing.assert_allclose(both.sigma, (1 / 0.01 + 1 / 0.04) ** -0.5, rtol=1e-6)


def test_a_source_that_knows_nothing_changes_nothing() -> None:
    known = evidence(0.4, 0.1)
    both = fuse([known, evidence(0.9, np.inf)])
    np.testing.assert_allclose(both.mean, known.mean)
    np.testing.assert_allclose(both.sigma, known.sigma, rtol=1e-6)
    nobody = fuse([evidence(0.9, np.inf)])
    assert (nobody.mean == 0).all() and np.isinf(nobody.sigma).all()


def test_sources_of_other_frames_are_refused() -> None:
    with pytest.raises(ValueError, match=r"want one or more of one shape"):
        fuse([evidence(0.4, 0.1), evidence(0.4, 0.1, frames=3)])


def test_the_prior_is_where_the_evidence_is_and_no_wider_than_without() -> None:
    known = evidence(0.7, 0.15)
    known.sigma[:, PUFF] = 10.0
    known.sigma[1, PUFF] = np.inf
    mean, sigma = code_prior(2, known)
    assert mean[0, SMILE] == np.float32(0.7) and sigma[0, SMILE] == pytest.approx(0.15 * EVIDENCE_SCALE)
    # Landmarks say nothing of a sneer, and much of an open jaw.
    sure = ExpressionEvidence(np.zeros((1, 52), np.float32), np.full((1, 52), 0.1, np.float32))
    by = dict(zip(ACTIONS, code_prior(1, sure)[1][0].tolist(), strict=True))
    assert by["noseSneerLeft"] < 0.5 * by["mouthSmileLeft"] < 0.5 * by["jawOpen"] == pytest.approx(0.05)
    assert mean[0, PUFF] == np.float32(0.7) and sigma[0, PUFF] == action_sigmas()[PUFF]
    assert mean[1, PUFF] == 0 and sigma[1, PUFF] == action_sigmas()[PUFF]
    with pytest.raises(ValueError, match="want"):
        code_prior(3, known)


def test_scores_are_read_backwards_through_their_curves() -> None:
    """What is given to a code on average is read as that code; nothing is said where scores do not follow codes."""
    curves = load_file(CURVES)["scores"]
    for level, code in enumerate(LEVELS):
        found = blendshape_evidence(curves[None, :, level])
        assert found.mean[0, SMILE] == pytest.approx(code, abs=1e-5)
    sigma = blendshape_evidence(np.zeros((1, len(ACTIONS)), np.float32)).sigma[0]
    assert np.isinf(sigma[[PUFF, index("noseSneerLeft"), index("eyeLookInLeft")]]).all()
    assert sigma[index("jawOpen")] < sigma[index("browDownLeft")] < 0.6
    assert (np.diff(curves, axis=1) > 0).all()


def test_pose_goes_with_its_frames() -> None:
    pose = PoseEvidence(
        np.repeat(np.eye(3, dtype=np.float32)[None], 2, axis=0),
        np.ones((2, 3), np.float32),
        np.asarray([0.0, 1.0], np.float32),
        np.ones(2, np.float32),
    )
    whole = ExpressionEvidence(evidence(0.1, 0.2).mean, evidence(0.1, 0.2).sigma, pose)
    fused = fuse([evidence(0.4, 0.1), whole])
    assert fused.pose is pose
    last = fused.rows(slice(1, 2)).pose
    assert last is not None and last.log_distance.tolist() == [1.0]
    both = ExpressionEvidence.joined([whole, whole]).pose
    assert both is not None and both.log_distance.tolist() == [0.0, 1.0, 0.0, 1.0]
    assert ExpressionEvidence.joined([whole, evidence(0.4, 0.1)]).pose is None
