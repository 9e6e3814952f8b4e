# SPDX-License-Identifier: Apache-2.0
"""The references of a personal subject are seen by its own camera, and fitted to its own head."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from reenact.head.open import open_head
from reenact.head.state import posed_vertices
from reenact.head.subject import Reference, Subject
from reenact.media import read_image
from reenact.media.files import asset
from reenact.perception.dense.shipped import shipped_estimator
from reenact.subject.fit import FRAMES, PERSON
from reenact.subject.head_fit import fit_head
from reenact.subject.source import read_source
from reenact.tracking import TrackOptions, silent

HEAD = np.ascontiguousarray(read_image(asset("demo/astronaut.jpg"))[:240, 106:346])
MESH_POINTS = 468  # of the landmarks: the others are the irises'


def error_px(subject: Subject, reference: Reference, points: np.ndarray) -> float:
    """Median distance of the landmarks on the head from those that were detected."""
    head = subject.model.topology.at_landmarks(posed_vertices(subject.head, reference.motion, reference.motion))
    px = reference.camera.project(head)[0, :MESH_POINTS, :2].numpy()
    return float(np.median(np.linalg.norm(px - points[:MESH_POINTS], axis=1)))


@pytest.mark.slow
def test_references_are_fitted_again_to_the_personal_head() -> None:
    model = open_head()
    source = read_source(model, HEAD, TrackOptions(), silent)
    coarse, points = source.reference(), source.points[0]
    # Nothing holds the camera's distance, so that the personal head has another one than the tracked head.
    stages = [replace(stage, weights=replace(stage.weights, distance=0.0)) for stage in PERSON]
    subject = fit_head(model, [HEAD], shipped_estimator(), stages=stages, every_frame=FRAMES, textured=False)
    reference = subject.references[0]
    assert reference.camera == subject.camera != coarse.camera
    assert reference.motion.require_clip().focal_px[0] == pytest.approx(subject.camera.focal_px)
    error = partial(error_px, subject, points=points)
    assert error(reference) < 1.2 * error_px(source.subject, coarse, points) < 1.2
    assert error(reference) < 0.95 * error(coarse)  # which has pose and camera of another head
    assert subject.motion is not None
    np.testing.assert_allclose(reference.motion.translation, subject.motion.translation, atol=0.01)  # metres, of 1.9
