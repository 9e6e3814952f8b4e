# SPDX-License-Identifier: Apache-2.0
"""The shipped networks on the demo photo: as it is, and moved by the warp to expressions that landmarks hardly show."""

from __future__ import annotations

import numpy as np
import pytest

from reenact.generator.warp.generator import WarpGenerator
from reenact.head.arkit import ACTIONS, index
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.media import read_image
from reenact.media.files import asset
from reenact.perception import ExpressionEvidence, ExpressionObserver, detect_faces
from reenact.perception.expression import Source
from reenact.pipeline import AnimateOptions, cropped, head_crop
from reenact.subject.fit_subject import fit_subject

DEMO = asset("demo/astronaut.jpg")
SEEN_BY_PIXELS_ONLY = ("noseSneer", "cheekPuff")


def of(evidence: ExpressionEvidence, name: str) -> float:
    """Mean of an action, of both sides together."""
    return float(evidence.mean[0, [i for i, a in enumerate(ACTIONS) if a.startswith(name)]].mean())


@pytest.fixture(scope="module")
def portrait() -> tuple[WarpGenerator, Motion]:
    """The photo's head in a square, and what it does in the photo."""
    subject = fit_subject(open_head(), [DEMO])
    reference = cropped(subject.require_reference(), head_crop(subject, AnimateOptions(size=320, crop=True)))
    return WarpGenerator(subject.head, reference), reference.motion


def acting(portrait: tuple[WarpGenerator, Motion], actions: dict[str, float]) -> ExpressionEvidence:
    """Evidence about the photo moved to an expression that has these actions and no others."""
    codes = np.zeros(len(ACTIONS), np.float32)
    for name, value in actions.items():
        codes[[a.startswith(name) for a in ACTIONS]] = value
    generator, state = portrait
    picture = generator.render(state.replace(expression=codes[None]))
    return ExpressionObserver()(picture, detect_faces(picture)[0])


def test_a_smile_is_seen_by_both_sources_and_fused() -> None:
    image = np.asarray(read_image(DEMO), np.uint8)
    face = detect_faces(image)[0]
    asked: tuple[tuple[Source, ...], ...] = (("blendshapes",), ("pixels",), ("blendshapes", "pixels"))
    scores, pixels, both = (ExpressionObserver(sources)(image, face) for sources in asked)
    smile = index("mouthSmileLeft")
    assert min(scores.mean[0, smile], pixels.mean[0, smile]) > 0.5 and of(both, "mouthFrown") < 0.1
    assert both.sigma[0, smile] < min(scores.sigma[0, smile], pixels.sigma[0, smile])
    for name in SEEN_BY_PIXELS_ONLY:
        columns = [a.startswith(name) for a in ACTIONS]
        assert np.isinf(scores.sigma[0, columns]).all() and np.isfinite(both.sigma[0, columns]).all()
    assert scores.pose is None and both.pose is not None
    looks_at_us = np.diag([1.0, -1.0, -1.0])
    turn = np.degrees(np.arccos((np.trace(both.pose.R_ray_head[0] @ looks_at_us) - 1) / 2))
    assert turn < 25.0
    np.testing.assert_array_equal(ExpressionObserver()(image, face).mean, both.mean)


def test_what_the_photo_is_moved_to_is_seen(portrait: tuple[WarpGenerator, Motion]) -> None:
    neutral = acting(portrait, {})
    angry = acting(portrait, {"browDown": 1.0, "noseSneer": 0.9, "mouthPress": 0.5})
    smiling = acting(portrait, {"mouthSmile": 0.9, "cheekSquint": 0.6})
    surprised = acting(portrait, {"browInnerUp": 1.0, "browOuterUp": 1.0, "jawOpen": 0.7, "eyeWide": 0.7})
    for name, shows in (("browDown", angry), ("noseSneer", angry), ("mouthSmile", smiling), ("browInnerUp", surprised),
                        ("jawOpen", surprised)):  # fmt: skip
        others = [e for e in (neutral, angry, smiling, surprised) if e is not shows]
        assert of(shows, name) > max(of(e, name) for e in others) + 0.2, name
