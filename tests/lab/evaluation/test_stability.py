# SPDX-License-Identifier: Apache-2.0
"""Trembling counts, moving does not; and the real video's own value is beside."""

import numpy as np
import pytest
from scene import Scene, moments

from reenact.lab.evaluation.metrics.stability import FlowWarp, Jitter, backward_flow, second_difference, warp_error
from reenact.lab.evaluation.observe import DetectedFace

POINTS = np.random.default_rng(0).uniform(100, 200, (478, 2))


def moved(turn: float, zoom: float, x: float) -> np.ndarray:
    matrix = zoom * np.asarray([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    return POINTS @ matrix.T + (x, 0)


def test_a_head_that_turns_zooms_and_travels_does_not_tremble() -> None:
    assert second_difference([moved(0, 1, 0), moved(0.2, 1.1, 9), moved(0.1, 0.9, -30)]) == pytest.approx(0, abs=1e-9)
    assert np.isnan(second_difference([POINTS, POINTS]))
    assert np.isnan(second_difference([POINTS, None, POINTS]))


def test_jitter_is_in_proportion_to_noise_and_in_face_sizes() -> None:
    noise = np.random.default_rng(1).normal(size=(30, 478, 2))
    found = []
    for scale, strength in ((1, 0.0), (1, 0.5), (1, 1.0), (3, 3.0)):
        metric = Jitter()
        frames = [(scale * POINTS + strength * n).astype(np.float32) for n in noise]
        real = [DetectedFace(np.zeros((4, 4, 3), np.uint8), (POINTS + n).astype(np.float32), None) for n in noise]
        for moment in moments([DetectedFace(r.image, f, None) for f, r in zip(frames, real, strict=True)], real):
            metric.update(moment)
        jitter, ratio = metric.values()
        assert ratio.mean == pytest.approx(jitter.mean / jitter.beside["real"])
        found.append(jitter.mean)
    assert found[0] < 1e-5
    assert found[2] == pytest.approx(2 * found[1], rel=0.02)
    assert found[3] == pytest.approx(found[2], rel=0.02)
    # white noise of 1 px: variance 6 a coordinate in its second difference
    size = np.sqrt(((POINTS - POINTS.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert found[2] == pytest.approx(np.sqrt(12) / size, rel=0.1)


def test_flow_takes_out_motion_and_leaves_flicker(scene: Scene) -> None:
    before = scene.frames[0]
    now = np.roll(before, 3, axis=1)
    mask = np.zeros(before.shape[:2], bool)
    mask[60:200, 60:200] = True
    still = np.zeros((*before.shape[:2], 2), np.float32)
    flow = backward_flow(before, now)
    assert np.median(flow[mask][:, 0]) == pytest.approx(-3, abs=0.2)
    assert warp_error(before, now, flow, mask) < 0.35 * warp_error(before, now, still, mask)
    brighter = np.minimum(now, 225) + np.uint8(30)
    assert warp_error(before, brighter, flow, mask) > 0.08
    assert np.isnan(warp_error(before, now, flow, None))


@pytest.mark.parametrize("truth", [True, False])
def test_flicker_grows_in_proportion_and_the_real_video_is_beside(scene: Scene, truth: bool) -> None:
    found = []
    for strength in (0, 10, 20):
        metric = FlowWarp()
        flicker = [
            DetectedFace(np.clip(s.image.astype(int) + strength * (k % 2), 0, 255).astype(np.uint8), s.points, None)
            for k, s in enumerate(scene.seen[:6])
        ]
        for moment in moments(flicker, scene.seen[:6], truth):
            metric.update(moment)
        found.append(metric.values()[0])
    assert found[0].mean == pytest.approx(found[0].beside["real"])
    assert found[2].beside == found[0].beside
    assert found[0].mean < found[1].mean < found[2].mean
    if truth:
        assert (found[2].mean - found[0].mean) / (found[1].mean - found[0].mean) == pytest.approx(2, rel=0.3)
