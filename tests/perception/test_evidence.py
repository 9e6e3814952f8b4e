# SPDX-License-Identifier: Apache-2.0
"""Expression evidence: fused by precision, and the prior of the codes where it is the more certain."""

from __future__ import annotations

import numpy as np
import pytest

from reenact.heads.arkit import ACTIONS, index
from reenact.perception.blendshapes import blendshape_evidence
from reenact.perception.evidence import ExpressionEvidence, fuse
from reenact.tracking.priors import action_sigmas, code_prior

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


def test_evidence_replaces_the_general_prior_only_where_it_is_more_certain() -> None:
    known = evidence(0.7, 0.15)
    known.sigma[:, PUFF] = 10.0
    mean, sigma = code_prior(2, known)
    assert mean[0, SMILE] == np.float32(0.7) and sigma[0, SMILE] == np.float32(0.15)
    assert mean[0, PUFF] == 0 and sigma[0, PUFF] == action_sigmas()[PUFF]
    with pytest.raises(ValueError, match="want"):
        code_prior(3, known)


def test_the_blendshape_network_is_not_asked_for_what_it_cannot_see() -> None:
    found = blendshape_evidence(np.full((1, len(ACTIONS)), 0.5, np.float32))
    assert np.isinf(found.sigma[0, PUFF]) and found.sigma[0, SMILE] < 0.2 and found.mean[0, SMILE] == 0.5
