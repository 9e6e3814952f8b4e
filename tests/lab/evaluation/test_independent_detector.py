# SPDX-License-Identifier: Apache-2.0
"""Agreement by an independent detector: another network's points in its place, and a row of its table."""

from fractions import Fraction

import numpy as np
import pytest

from reenact.media.files import asset
from reenact.media.image import read_image

pytest.importorskip("dlib", reason="needs the evaluation extra")

from reenact.lab.evaluation.independent_detector import compare_motion, mediapipe_as_68, meets_targets
from reenact.lab.evaluation.landmarks68 import MEASURES, Landmarks68, face_box, measure

DEMO = asset("demo/astronaut.jpg")


def test_mediapipe_stands_in_where_the_detector_looks() -> None:
    photo = read_image(DEMO)
    detected, other = Landmarks68().follow([photo])[0], mediapipe_as_68([photo])[0]
    known = np.isfinite(other).all(axis=1)
    assert known.sum() == 30
    assert np.linalg.norm(other - detected, axis=1)[known].max() < 0.08 * face_box(detected)[2]
    for name, series in measure(other[None]).items():
        assert np.isfinite(series).all(), name


def test_a_row_compares_common_frames_and_refuses_other_rates() -> None:
    driver = {name: np.sin(np.arange(40.0) + k) for k, name in enumerate(MEASURES)}
    output = {name: 0.9 * series[:30] for name, series in driver.items()}
    row = compare_motion(driver, output, (Fraction(25), Fraction(25)))
    assert (row["frames"], row["frames_driver"], row["frames_output"]) == (30, 40, 30)
    assert row["mouth"]["correlation"] == 1
    assert row["mouth"]["amplitude"] == pytest.approx(0.9)
    assert meets_targets(row, "mouth")
    with pytest.raises(ValueError, match="25 frames per second"):
        compare_motion(driver, output, (Fraction(25), Fraction(30)))
