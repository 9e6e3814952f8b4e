# SPDX-License-Identifier: Apache-2.0
"""Tracking with a user's model file: its own coefficients in the motion file, which the open head refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reenact.media import InputError
from reenact.media.files import asset
from reenact.pipeline import AnimateOptions, Pipeline, read_driving
from reenact.tracking import load_motion, save_motion
from tests.head.made_heads import supplied

PHOTO = asset("demo/astronaut.jpg")


@pytest.mark.slow
def test_a_motion_file_holds_the_models_own_coefficients(tmp_path: Path) -> None:
    model, path = supplied(), tmp_path / "her.motion.safetensors"
    save_motion(read_driving(model, PHOTO), path)
    motion = load_motion(path)
    clip = motion.require_clip()
    assert clip.head == model.name and clip.identity.shape == (1, 300)
    # As good as the open head's 0.4 % of face height, but for a basis that is a made-up person's.
    assert clip.residual_px[-1] < 0.01 * 130
    shape = clip.identity[[0] * len(motion)]
    psi, omega = model.coefficients(motion.expression)
    vertices, joints = model.skinned(shape, psi, {"jaw": omega})
    own = vertices[0].numpy() - joints[0, 3:5].mean(dim=0).numpy()  # at rest, before it acts
    np.testing.assert_allclose(own, model.neutral(clip.identity[0]), atol=1e-5)
    with pytest.raises(InputError, match=rf"tracked with the head {model.name}"):
        Pipeline().prepare(PHOTO, path, AnimateOptions())
