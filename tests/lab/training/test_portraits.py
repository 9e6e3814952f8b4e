# SPDX-License-Identifier: Apache-2.0
"""Synthetic portraits: reproducible, varied, and in agreement with their truth."""

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from reenact.head.motion import Motion
from reenact.lab.synthetic import (
    LABELS,
    SyntheticFrames,
    looks_of,
    random_scene,
    render_portraits,
    still_state,
    synthetic_person,
)
from reenact.perception import detect_faces

SIZE = 256
PEOPLE = 6


@pytest.fixture(scope="module")
def people() -> list:
    return [synthetic_person(seed) for seed in range(PEOPLE)]


@pytest.fixture(scope="module")
def frames(people: list) -> SyntheticFrames:
    scenes = [random_scene(seed) for seed in range(PEOPLE)]
    states = Motion.joined([still_state(p, s) for p, s in zip(people, scenes, strict=True)])
    return render_portraits(people, states, scenes, SIZE)


@pytest.mark.slow
def test_same_seed_same_frames_whatever_the_batch_and_the_threads(people: list, frames: SyntheticFrames) -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        for i in (0, 4):
            scene = random_scene(i)
            state = still_state(people[i], scene)
            alone = render_portraits([people[i]], state, [scene], SIZE, first_frame=i)
            again = render_portraits([people[i]], state, [scene], SIZE, first_frame=i)
            np.testing.assert_array_equal(alone.images, again.images)
            assert np.abs(alone.images[0].astype(int) - frames.images[i]).max() <= 1
            np.testing.assert_array_equal(alone.labels[0], frames.labels[i])
            np.testing.assert_allclose(alone.depth[0], frames.depth[i], atol=1e-6)
    finally:
        torch.set_num_threads(threads)


def test_seeds_differ_in_skin_and_hair(people: list) -> None:
    looks = [looks_of(p) for p in people]
    tones = np.stack([x.tone for x in looks])
    hairs = np.stack([x.hair_colour for x in looks])
    for values in (tones, hairs):
        assert len(np.unique(values.round(4), axis=0)) == PEOPLE
        assert np.ptp(values, axis=0).max() > 0.1
    assert len({x.hair_style for x in looks}) > 1


@pytest.mark.slow
def test_maps_agree_with_the_mesh(frames: SyntheticFrames) -> None:
    covered = np.isfinite(frames.depth)
    assert (covered == (frames.labels != 255)).all()
    length = np.linalg.norm(frames.normals, axis=-1)
    np.testing.assert_allclose(length[covered], 1.0, atol=1e-4)
    assert not length[~covered].any()
    assert frames.images.shape == (PEOPLE, SIZE, SIZE, 3)
    assert 0.25 < covered.mean() < 0.9
    for name in ("skin", "lips", "iris", "hair", "cloth"):
        assert (frames.labels == LABELS.index(name)).any(), name


@pytest.mark.slow
def test_depth_is_that_of_visible_landmarks(frames: SyntheticFrames) -> None:
    """Where the surface faces the camera: at a steep slope nothing can be read between pixel centres."""
    errors = []
    for i in range(PEOPLE):
        marks = frames.landmarks[i][frames.landmarks_visible[i]]
        x, y = marks[:, 0].astype(int), marks[:, 1].astype(int)
        facing = frames.normals[i, y, x, 2] < -0.8
        depth = np.nan_to_num(frames.depth[i], posinf=9.0)
        there = map_coordinates(depth, [marks[:, 1] - 0.5, marks[:, 0] - 0.5], order=1, mode="nearest")
        errors.append(np.abs(there - marks[:, 2])[facing])
    errors = np.concatenate(errors)
    assert len(errors) > 300
    assert np.median(errors) < 0.0005 and np.quantile(errors, 0.95) < 0.001


@pytest.mark.slow
def test_landmarks_are_in_the_picture_and_most_of_them_seen(frames: SyntheticFrames) -> None:
    assert (frames.landmarks[..., :2] > 0).all() and (frames.landmarks[..., :2] < SIZE).all()
    assert frames.landmarks_visible.mean() > 0.5


def test_a_wrong_number_of_scenes_is_refused(people: list) -> None:
    scenes = [random_scene(0)] * 2
    states = Motion.joined([still_state(people[0], scenes[0])] * 3)
    with pytest.raises(ValueError, match="2 scenes for 3 states"):
        render_portraits(people[:1], states, scenes, SIZE)


@pytest.mark.slow
def test_detector_finds_the_faces_where_they_are(frames: SyntheticFrames) -> None:
    errors = []
    for image, truth in zip(frames.images, frames.landmarks, strict=True):
        found = detect_faces(image)
        if found:
            height = np.ptp(truth[:, 1])
            errors.append(np.median(np.linalg.norm(found[0].points - truth[:, :2], axis=1)) / height)
    assert len(errors) >= 0.9 * PEOPLE
    assert np.median(errors) < 0.03
