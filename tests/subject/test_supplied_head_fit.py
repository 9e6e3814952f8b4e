# SPDX-License-Identifier: Apache-2.0
"""A person's head over a user's model file: tracked, fitted, saved and loaded like one over the open head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reenact.media import InputError, read_image
from reenact.media.files import asset
from reenact.perception.dense.shipped import shipped_estimator
from reenact.subject.fit import FRAMES, PERSON
from reenact.subject.head_fit import fit_head
from reenact.subject.store import load_head, save_head
from reenact.subject.texture import require_motion
from reenact.tracking import find_face
from tests.head.made_heads import supplied

PHOTO = asset("demo/astronaut.jpg")


@pytest.mark.slow
def test_a_photo_fitted_with_a_model_of_the_users_own(tmp_path: Path) -> None:
    model = supplied()
    short = [replace(stage, steps=6) for stage in PERSON]
    head = fit_head(model, [PHOTO], shipped_estimator(), stages=short, every_frame=replace(FRAMES, steps=2))
    t = require_motion(head)
    clip = t.require_clip()
    assert clip.head == model.name and head.static_offset is not None and head.static_offset.shape == (5023, 3)
    shape = head.surface(t)[0, :5023]
    points = model.topology.at_landmarks(shape).numpy() + clip.placement[0].numpy()
    cam = points @ t.rotation[0].numpy().T + t.translation[0].numpy()
    px = float(clip.focal_px[0]) * cam[:, :2] / cam[:, 2:] + (clip.width / 2, clip.height / 2)
    seen = find_face(read_image(PHOTO), 0, PHOTO).points
    assert np.median(np.linalg.norm(px - seen, axis=1)) < 0.02 * np.ptp(seen[:, 1])
    save_head(head, tmp_path / "her.head")
    again = load_head(tmp_path / "her.head", model)
    assert again.static_offset is not None and torch.equal(again.static_offset, head.static_offset)
    with pytest.raises(InputError, match=rf"of {model.name}; want .* of reenact-open-head-1"):
        load_head(tmp_path / "her.head")
