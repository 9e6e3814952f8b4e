# SPDX-License-Identifier: Apache-2.0
"""Performances: made up, read from files, and given by anybody."""

import numpy as np

from reenact.head.arkit import index
from reenact.lab.synthetic import (
    as_tracked,
    performance_of_track,
    performed_by,
    random_scene,
    synthetic_motion,
    synthetic_person,
)
from reenact.media.files import asset
from reenact.tracking import load_motion

BUNDLED = asset("motions")


def test_a_seed_is_a_performance_and_another_seed_another() -> None:
    one, again, other = synthetic_motion(1, 75), synthetic_motion(1, 75), synthetic_motion(2, 75)
    np.testing.assert_array_equal(one.expression, again.expression)
    np.testing.assert_array_equal(one.rotation, again.rotation)
    assert (one.expression - other.expression).abs().max() > 0.2


def test_it_is_a_performance() -> None:
    acted = synthetic_motion(5, 250)
    assert acted.expression.min() >= 0.0 and acted.expression.max() <= 1.0
    assert acted.expression.diff(dim=0).abs().max() < 0.75
    for action in ("jawOpen", "eyeBlinkLeft", "browInnerUp", "mouthSmileLeft"):
        assert acted.expression[:, index(action)].max() > 0.2, action
    np.testing.assert_allclose(acted.rotation @ acted.rotation.mT, np.tile(np.eye(3), (250, 1, 1)), atol=1e-5)


def test_a_track_says_the_same() -> None:
    acted = synthetic_motion(3, 40)
    back = performance_of_track(as_tracked(acted))
    np.testing.assert_array_equal(back.expression, acted.expression)
    np.testing.assert_allclose(back.rotation, acted.rotation, atol=1e-5)


def test_anybody_gives_a_bundled_motion_with_their_own_anatomy() -> None:
    acted = performance_of_track(load_motion(BUNDLED / "smile.motion.safetensors"))
    scene = random_scene(1)
    adult, child = synthetic_person(1, age=40.0), synthetic_person(2, age=4.0)
    one, other = (performed_by(acted, who, scene) for who in (adult, child))
    assert len(one) == len(other) == len(acted)
    np.testing.assert_array_equal(one[10].expression, other[10].expression)
    moves = [np.ptp(p.surface(s[:40:8]), axis=0).max() for p, s in ((adult, one), (child, other))]
    assert moves[0] > moves[1] > 0.0
