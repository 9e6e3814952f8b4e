# SPDX-License-Identifier: Apache-2.0
"""Offsets of landmarks: found where the pixels are, carried by a head, counted from the neutral frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from reenact.head.landmark_following import following
from reenact.head.landmarks import LANDMARKS, LEFT_LIDS
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.regions import EYEBALL, region_ids
from reenact.head.state import deformed
from reenact.head.subject import Reference, Subject
from reenact.rendering import Camera
from reenact.tracking.flow import Shot
from reenact.tracking.refine import landmark_offsets
from reenact.transfer.edit import cut, mirror, mix, scale
from reenact.transfer.retarget import retarget
from reenact.transfer.smoothing import smooth
from reenact.transfer.timing import sampled
from tests.made_motions import with_clip
from tests.transfer.made_motions import made_motion

HEAD = open_head()
AHEAD = np.diag([1.0, -1.0, -1.0]).astype(np.float32)
FRAMES, CHIN = 9, 152
CAMERA = Camera(1000.0, 320.0, 240.0, 640, 480)
MEAN = Subject(HEAD, torch.zeros(HEAD.identity_size), CAMERA, torch.zeros(LANDMARKS, 3))
NEUTRAL = MEAN.head.neutral.numpy()
MARKS = HEAD.topology.at_landmarks(MEAN.head.neutral).numpy()


def turned(radians: float) -> np.ndarray:
    c, s = np.cos(radians), np.sin(radians)
    return (AHEAD @ np.asarray([[c, 0, s], [0, 1, 0], [-s, 0, c]])).astype(np.float32)


def shot() -> Shot:
    """A head that turns, exactly fitted."""
    rotation = np.stack([turned(0.05 * i) for i in range(FRAMES)])
    place = np.repeat(np.asarray([[0.0, 0.0, 0.8]], np.float32), FRAMES, axis=0)
    still = np.zeros((FRAMES, 52), np.float32), np.zeros((FRAMES, 2, 2), np.float32)
    fitted = Motion(*still, rotation, place)
    made = Shot(MEAN, np.zeros((FRAMES, 478, 2), np.float32), fitted, np.arange(FRAMES))
    return replace(made, points=made.predicted)


def track(offset: np.ndarray | None, size: float = 2.0) -> Motion:
    """Of a face `size` times the mean one's."""
    made = made_motion(FRAMES, shots=1).replace(landmark_offset=offset)
    return with_clip(made, face_size_m=torch.tensor([size * MEAN.face_size_m]))


def given(motion: Motion) -> np.ndarray:
    """Its landmark offsets."""
    assert motion.landmark_offset is not None
    return motion.landmark_offset.numpy()


def followed(offsets: np.ndarray) -> np.ndarray:
    """[F, V, 3] by which the mean head's skin follows landmarks [F, 478, 3]."""
    return (following(MEAN.head) @ torch.from_numpy(offsets)).numpy()


def drawn() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1e-3, (FRAMES, 478, 3)).astype(np.float32)


def test_what_pixels_say_beyond_the_fit_comes_back_in_space() -> None:
    """A chin that slips by 2 mm to the side of a head that turns away from the camera."""
    made = shot()
    slip = np.zeros((FRAMES, 478, 3))
    slip[5:, CHIN, 0] = 0.002
    places = MARKS + slip
    in_camera = places @ np.swapaxes(made.fitted.rotation.numpy(), 1, 2) + made.fitted.translation[:, None].numpy()
    moved = 1000.0 * in_camera[..., :2] / in_camera[..., 2:] + (320.0, 240.0)
    still = MARKS @ np.swapaxes(made.fitted.rotation.numpy(), 1, 2)
    still = still + made.fitted.translation[:, None].numpy()
    seen = made.points + (moved - (1000.0 * still[..., :2] / still[..., 2:] + (320.0, 240.0))).astype(np.float32)
    found = landmark_offsets(made, seen, np.ones((FRAMES, 478), np.float32))
    # Nobody sees depth: what lies across the line of sight comes back, a little shortened.
    across = 0.002 * np.cos(0.4)
    assert found[-1, CHIN, 0] == pytest.approx(across * np.cos(0.4) / np.hypot(1.0, across / 0.005), rel=0.02)
    others = np.setdiff1d(np.arange(478), [CHIN])
    assert np.abs(found[:3]).max() < 2e-5 and np.abs(found[:, others]).max() < 1e-6
    assert np.abs(landmark_offsets(made, seen, np.zeros((FRAMES, 478), np.float32))).max() == 0
    half = landmark_offsets(made, seen, np.full((FRAMES, 478), 0.5, np.float32))[-1, CHIN, 0]
    assert half == pytest.approx(across / 2 * np.cos(0.4) / np.hypot(1.0, across / 2 / 0.005), rel=0.02)


def test_frames_may_be_worked_on_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = shot()
    moved = replace(made, fitted=made.fitted.replace(landmark_offset=drawn()))
    seen, trust = moved.predicted, np.ones((FRAMES, 478), np.float32)
    whole = landmark_offsets(made, seen, trust)
    monkeypatch.setattr("reenact.tracking.flow._ROWS", 4)
    again = replace(moved, frames=moved.frames)
    assert [len(range(FRAMES)[rows]) for rows in again.parts()] == [4, 4, 1]
    np.testing.assert_allclose(again.predicted, seen, atol=1e-4)
    np.testing.assert_allclose(landmark_offsets(replace(again, fitted=made.fitted), seen, trust), whole, atol=1e-7)


def test_a_wrong_match_is_no_long_way() -> None:
    made = shot()
    seen = made.points.copy()
    seen[-1] += 300.0
    assert np.linalg.norm(landmark_offsets(made, seen, np.ones((FRAMES, 478), np.float32)), axis=-1).max() < 0.005


def test_lids_are_carried_but_not_opened() -> None:
    made = shot()
    seen = made.points.copy()
    seen[5:, LEFT_LIDS[0], 1] += 4.0
    found = landmark_offsets(made, seen, np.ones((FRAMES, 478), np.float32))[-1, list(LEFT_LIDS)]
    assert np.abs(found).max() > 1e-5 and np.ptp(found, axis=0).max() < 1e-8


def test_skin_follows_its_landmarks_and_eyeballs_keep_their_shape() -> None:
    moved = followed(np.tile(np.asarray([1e-3, 0, 0], np.float32), (1, 478, 1)))[0]
    face = HEAD.topology.landmark_vertices[:468].flatten()
    np.testing.assert_allclose(moved[face, 0], 1e-3, rtol=0.02)
    back = np.argsort(NEUTRAL[:, 2])[:100]
    assert np.abs(moved[back]).max() < 2e-4
    one = np.zeros((1, 478, 3), np.float32)
    one[0, CHIN] = (0, -0.002, 0)
    moved = followed(one)[0]
    nearest = np.argmin(np.linalg.norm(NEUTRAL - MARKS[CHIN], axis=1))
    assert moved[nearest, 1] < -5e-4
    balls = HEAD.topology.region_vertices(*region_ids(*EYEBALL)).numpy()
    left = balls[NEUTRAL[balls, 0] > 0]
    moved = followed(drawn()[:1])[0, left]
    assert np.abs(moved).max() > 1e-5 and np.ptp(moved, axis=0).max() == 0


def test_a_frame_with_offsets_is_that_much_elsewhere() -> None:
    plain = Motion(np.zeros(52), np.zeros((2, 2)), AHEAD, [0, 0, 0.8])
    moved = plain.replace(landmark_offset=drawn()[:1])
    one, two, three = deformed(MEAN.head, Motion.joined([plain, moved, plain])).numpy()
    np.testing.assert_array_equal(one, three)
    skin = HEAD.topology.landmark_vertices[CHIN]
    np.testing.assert_allclose((two - one)[skin], followed(drawn()[:1])[0, skin], atol=1e-6)


def test_offsets_count_from_the_neutral_frame_in_sizes_of_the_face() -> None:
    dynamic = drawn()
    photo = Motion(np.zeros(52), np.zeros((2, 2)), AHEAD, [0, 0, 0.7])
    reference = Reference(torch.zeros(CAMERA.height, CAMERA.width, 3, dtype=torch.uint8), photo, CAMERA)
    subject = MEAN.replace(references=(reference,))
    states = retarget(track(dynamic), subject, "relative", {}, neutral=2)
    assert np.abs(given(states[2])).max() == 0
    np.testing.assert_allclose(given(states[4])[0], 0.5 * (dynamic[4] - dynamic[2]), atol=1e-8)
    usual = retarget(track(dynamic, size=1.0), subject, "absolute", {})
    np.testing.assert_allclose(given(usual[4])[0], dynamic[4] - np.median(dynamic, axis=0), atol=1e-8)
    less = retarget(track(dynamic), subject, "relative", {"mouth": 0.5}, neutral=2)
    np.testing.assert_allclose(given(less[4])[0], 0.25 * (dynamic[4] - dynamic[2]), atol=1e-8)
    for source, strength in ((track(None), {}), (track(dynamic), {"all": 0.0})):
        assert retarget(source, subject, "relative", strength).landmark_offset is None


def test_edits_keep_offsets_only_while_the_actions_are_theirs() -> None:
    offsets = drawn()
    made = track(offsets)
    np.testing.assert_array_equal(given(cut(made, 2, 5)), offsets[2:5])
    np.testing.assert_allclose(given(sampled(made, [1.5])), offsets[1:3].mean(axis=0, keepdims=True), atol=1e-9)
    assert given(smooth(made, 0.2)).std() < 0.7 * offsets.std()
    assert all(len(given(edited)) == FRAMES for edited in (scale(made, "head", 0.5), mix(made, made, ["head"])))
    for edited in (scale(made, "mouth", 0.5), mirror(made), mix(made, made, ["mouth"])):
        assert edited.landmark_offset is None
