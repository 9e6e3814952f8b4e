# SPDX-License-Identifier: Apache-2.0
"""Expression and pose errors: none on the same track, growing in proportion to a known disturbance."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scene import Scene, moments
from scipy.spatial.transform import Rotation

from reenact.head.arkit import REGIONS, index, region_mask
from reenact.head.head_model import personalised
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.lab.evaluation.about import Value
from reenact.lab.evaluation.metrics.coefficients import (
    Coefficients,
    EstimatorCoefficients,
    compared,
    geodesic,
    tracked,
)
from reenact.lab.evaluation.observe import Image
from reenact.rendering.threads import one_torch_thread
from reenact.tracking.face_model import landmark_model
from reenact.tracking.normal_equations import project

HEAD = open_head()
FRAMES, SIDE, FOCAL = 6, 512, 1400.0
AHEAD = np.diag([1.0, -1.0, -1.0])
STRENGTHS = (0.0, 1.0, 2.0)


def states(**disturbed: float) -> Motion:
    """A nod and some speech; `disturbed`: smile (activation), yaw (degrees), aside (metres, at the end), gaze (rad)."""
    t = np.linspace(0, 2 * np.pi, FRAMES)
    expression = np.zeros((FRAMES, 52), np.float32)
    expression[:, index("jawOpen")] = 0.25 - 0.25 * np.cos(2 * t)
    for side in ("Left", "Right"):
        expression[:, index(f"mouthSmile{side}")] = 0.2 + disturbed.get("smile", 0)
    pitch, yaw = 0.1 * np.sin(t), np.full(FRAMES, np.radians(disturbed.get("yaw", 0)))
    rotation = Rotation.from_euler("xy", np.stack([pitch, yaw], axis=1)).as_matrix() @ AHEAD
    place = np.asarray([[0, 0.02, 0.75]]) + np.linspace(-0.5, 0.5, FRAMES)[:, None] * [
        [disturbed.get("aside", 0), 0, 0]
    ]
    gaze = np.full((FRAMES, 2, 2), 0.0)
    gaze[..., 0] = disturbed.get("gaze", 0)
    return Motion(expression, gaze, rotation, place)


@pytest.fixture(scope="module")
def track():
    identity = np.random.default_rng(4).normal(size=HEAD.identity_size).astype(np.float32)
    identity[40:] = 0
    landmarks = landmark_model(personalised(HEAD, identity))

    def of(**disturbed: float) -> Coefficients:
        points = project(landmarks, states(**disturbed), FOCAL).numpy() + SIDE / 2
        return tracked(HEAD, points.astype(np.float32), SIDE, SIDE)

    return of


def errors(output: Coefficients, driver: Coefficients) -> dict[str, Value]:
    regions = {name: region_mask(name) for name in REGIONS}
    return {v.about.key: v for v in compared(output, driver, "", "{} codes", regions, "tracker", None)}


@pytest.mark.slow
def test_the_same_track_has_no_error_and_each_disturbance_grows_in_its_own_number(track) -> None:
    still = track()
    for value in errors(still, still).values():
        assert value.mean == pytest.approx(0, abs=1e-6), value.about.key
    sizes = {
        "smile": ("aed_mouth", 0.2),
        "yaw": ("apd_rotation_deg", 4),
        "aside": ("apd_translation_sideways", 0.04),
        "gaze": ("gaze_tracked_deg", 0.1),
    }
    slopes = {}
    for name, (key, size) in sizes.items():
        found = [errors(track(**{name: size * s}), still)[key].mean if s else 0.0 for s in STRENGTHS]
        assert found[0] < found[1] < found[2], name
        assert found[2] / found[1] == pytest.approx(2, rel=0.35), name
        slopes[name] = found[1]
    assert slopes["yaw"] == pytest.approx(4, rel=0.15)
    assert slopes["gaze"] == pytest.approx(np.degrees(0.1), rel=0.25)


def frames_of(count: int = 12) -> Coefficients:
    rng = np.random.default_rng(1)
    rotation = Rotation.from_rotvec(0.2 * rng.normal(size=(count, 3))).as_matrix()
    return Coefficients(
        rng.uniform(size=(count, 52)), rotation, rng.normal(size=(count, 3)), 0.1 * rng.normal(size=(count, 2, 2))
    )


@pytest.mark.parametrize("size", [0.01, 0.1, 0.5])
def test_offsets_count_in_full_but_are_forgiven_where_that_is_promised(size: float) -> None:
    driver = frames_of()
    turn = Rotation.from_rotvec([0, size, 0]).as_matrix()
    assert driver.gaze is not None
    output = Coefficients(driver.expression + size, turn @ driver.rotation, driver.translation + size, driver.gaze)
    found = {key: value.mean for key, value in errors(output, driver).items()}
    assert found["aed"] == pytest.approx(size)
    assert found["aed_jaw"] == pytest.approx(size)
    assert found["apd_rotation_rad"] == pytest.approx(size)
    assert found["apd_rotation_deg"] == pytest.approx(np.degrees(size))
    assert found["aed_motion"] == pytest.approx(0, abs=1e-12)
    assert found["apd_translation"] == pytest.approx(0, abs=1e-12)
    assert found["apd_rotation_motion_deg"] < 0.5 * np.degrees(size)
    still = errors(Coefficients(driver.expression, driver.rotation @ turn, driver.translation, None), driver)
    assert still["apd_rotation_motion_deg"].mean == pytest.approx(0, abs=1e-6)
    assert "gaze_tracked_deg" not in still


def test_a_frozen_output_gets_what_is_written_beside() -> None:
    driver = frames_of()
    frozen = Coefficients(
        *(np.repeat(x[:1], 12, axis=0) for x in (driver.expression, driver.rotation, driver.translation))
    )
    found = errors(frozen, driver)
    for key in ("aed_motion", "apd_rotation_motion_deg", "apd_translation", "apd_translation_sideways"):
        assert found[key].mean == pytest.approx(found[key].beside["frozen"]), key
        assert found[key].mean > 0


def test_small_angles_are_exact_and_large_ones_right() -> None:
    for angle in (1e-9, 1e-4, 0.3, 3.0):
        turn = Rotation.from_rotvec([angle, 0, 0]).as_matrix()[None]
        assert geodesic(turn, np.eye(3)[None])[0] == pytest.approx(angle, rel=1e-6)


def test_frames_without_a_face_are_unknown_and_do_not_count(track) -> None:
    nobody = tracked(HEAD, np.full((4, 478, 2), np.nan), SIDE, SIDE)
    assert np.isnan(nobody.expression).all()
    driver = frames_of()
    gaps = frames_of()
    gaps.expression[3:6] = np.nan
    found = errors(gaps, driver)["aed"]
    assert found.mean == 0
    assert found.series is not None
    assert np.flatnonzero(np.isnan(found.series)).tolist() == [3, 4, 5]


class Brightness:
    """Somebody else's estimator, as small as one can be: colours for expression, the centre of light for place."""

    key, name, units, weights_sha256 = "bright", "brightness 1.0", "mean of a channel, 0..1", None

    def __call__(self, image: Image) -> Coefficients | None:
        if image.max() == 0:
            return None
        grey = image.mean(axis=2)
        rows, columns = np.indices(grey.shape)
        centre = np.asarray([(grey * columns).sum(), (grey * rows).sum(), 0]) / grey.sum() / len(grey)
        return Coefficients(image.reshape(-1, 3).mean(axis=0) / 255, np.eye(3), centre)


def test_somebody_elses_estimator_needs_no_more_than_a_call(scene: Scene) -> None:
    metric = EstimatorCoefficients(Brightness())
    output = [type(s)(np.minimum(s.image, 204) + np.uint8(51), None, None) for s in scene.seen]
    output[2] = type(output[2])(np.zeros_like(output[2].image), None, None)
    plain = [type(s)(np.minimum(s.image, 204), None, None) for s in scene.seen]
    for moment in moments(output, plain):
        metric.update(moment)
    found = {value.about.key: value for value in metric.values()}
    assert found["aed_bright"].mean == pytest.approx(0.2)
    assert found["aed_bright"].about.extractor == "brightness 1.0"
    assert found["apd_rotation_deg_bright"].mean == 0
    assert found["aed_bright"].series is not None
    assert np.isnan(found["aed_bright"].series[2])


def test_the_callers_threads_are_given_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError), one_torch_thread():
        assert torch.get_num_threads() == 1
        raise RuntimeError
    assert torch.get_num_threads() == before
