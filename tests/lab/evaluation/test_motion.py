# SPDX-License-Identifier: Apache-2.0
"""Events and gaze on made series and landmarks, where the right answer is known."""

import numpy as np
import pytest
from scene import Scene, moments

from reenact.head.landmarks import IRIS
from reenact.lab.evaluation.landmarks68 import measure
from reenact.lab.evaluation.metrics.gaze import Gaze, gaze_angles
from reenact.lab.evaluation.metrics.motion import TOLERANCE, Motion, blinks, closed, intervals, lip_closure


def lids(*shut: tuple[int, int], frames: int = 60, open_: float = 0.3) -> np.ndarray:
    """Eye aspect ratio over time with closed stretches (first, last)."""
    series = np.full(frames, open_)
    for first, last in shut:
        series[first : last + 1] = 0.3 * open_
    return series


@pytest.mark.parametrize(
    ("output", "score"),
    [
        (lids((10, 13), (40, 42)), 1),
        (lids((10 + 3 + TOLERANCE, 17), (40, 42)), 1),  # late, but not too late
        (lids((10 + 4 + TOLERANCE, 18), (40, 42)), 0.5),
        (lids((10, 13)), 2 / 3),
        (lids(), 0),
        (lids((10, 11), (12 + TOLERANCE, 16), (40, 42)), 0.8),  # one driver's blink has only one partner
        (lids((10, 13), (25, 27), (40, 42)), 0.8),
        (lids((10, 13), (40, 42), open_=0.25), 1),  # narrower eyes
    ],
)
def test_blinks_find_their_partners(output: np.ndarray, score: float) -> None:
    found = blinks(output, lids((10, 13), (40, 42)))
    assert found.mean == pytest.approx(score)
    assert found.beside["driver_count"] == 2


def test_without_any_blink_there_is_nothing_to_say_and_unknown_frames_are_none() -> None:
    assert np.isnan(blinks(lids(), lids()).mean)
    assert blinks(lids((3, 5)), lids()).mean == 0
    hidden = lids((10, 13))
    hidden[8:15] = np.nan
    assert np.isnan(blinks(hidden, lids((10, 13))).mean)
    assert not closed(np.full(5, np.nan)).any()
    assert closed(np.full(30, 0.08)).all()  # asleep throughout: shut, though it is its usual


def test_intervals_are_runs() -> None:
    assert intervals(np.asarray([1, 1, 0, 1, 0, 0, 1], bool)) == [(0, 1), (3, 3), (6, 6)]
    assert intervals(np.zeros(4, bool)) == []


def test_lips_that_shut_at_the_same_time_agree() -> None:
    driver = 0.15 + 0.15 * np.sin(np.arange(60) / 3)
    assert lip_closure(driver, driver).mean == 1
    late = [lip_closure(np.roll(driver, k), driver).mean for k in (1, 2, 4)]
    assert 1 > late[0] > late[1] > late[2]
    frozen = lip_closure(np.zeros(60), driver)
    assert frozen.mean < 0.6
    assert frozen.beside["output_share"] == 1
    assert np.isnan(lip_closure(driver + 1, driver + 1).mean)


@pytest.mark.slow
def test_the_bundled_talk_blinks_and_follows_itself(scene: Scene) -> None:
    points = np.stack([s.points_68 for s in scene.seen if s.points_68 is not None])
    assert len(points) == len(scene.seen)
    metric = Motion()
    for moment in moments(scene.seen, scene.seen):
        metric.update(moment)
    found = {value.about.key: value for value in metric.values()}
    assert found["blink_f1"].mean == 1
    assert found["blink_f1"].beside["driver_count"] == 2
    for name, series in measure(points).items():
        if name != "eyes":
            assert found[f"motion_{name}_correlation"].mean == pytest.approx(1)
            assert found[f"motion_{name}_amplitude"].mean == pytest.approx(1)
            assert found[f"motion_{name}_amplitude"].beside["driver_std"] == pytest.approx(series.std())


def looking(scene: Scene, degrees: float) -> np.ndarray:
    """Landmarks of an eye-open frame with both irises moved along the eyes' corners."""
    points = next(s.points for s in scene.seen if s.points is not None and np.isfinite(gaze_angles(s.points)).all())
    moved = points.copy()
    for eye, (inner, outer) in enumerate(((362, 263), (133, 33))):
        middle, across = (points[inner] + points[outer]) / 2, points[outer] - points[inner]
        across = across * np.sign(across[0])  # towards the picture's right
        moved[list(IRIS[eye])] = middle + across * np.sin(np.radians(degrees)) / 2.5
    return moved


@pytest.mark.parametrize("degrees", [0.0, 5.0, 10.0, 20.0])
def test_gaze_angles_are_those_put_in(scene: Scene, degrees: float) -> None:
    ahead, aside = gaze_angles(looking(scene, 0)), gaze_angles(looking(scene, degrees))
    np.testing.assert_allclose(aside[:, 0] - ahead[:, 0], degrees, atol=0.01)
    np.testing.assert_allclose(aside[:, 1], ahead[:, 1], atol=0.01)
    metric, seen = Gaze(), type(scene.seen[0])
    output = [seen(scene.photo, looking(scene, degrees).astype(np.float32), None)] * 4
    driver = [seen(scene.photo, looking(scene, 0).astype(np.float32), None)] * 4
    for moment in moments(output, driver):
        metric.update(moment)
    error, moved = metric.values()
    assert error.mean == pytest.approx(degrees, abs=0.02)
    assert moved.mean == pytest.approx(0, abs=1e-3)  # a constant squint is an offset


def test_shut_eyes_have_no_gaze(scene: Scene) -> None:
    shut = looking(scene, 0)
    shut[[385, 386, 387]] = shut[[380, 374, 373]]
    assert np.isnan(gaze_angles(shut)).tolist() == [[True, True], [False, False]]
