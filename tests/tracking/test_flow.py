# SPDX-License-Identifier: Apache-2.0
"""Refinement by flow on drawn people, whose true landmarks are known and made worse as a detector does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from reenact.head.landmarks import INNER_LIPS, IRIS, LANDMARKS, LEFT_LIDS, RIGHT_LIDS
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.subject import Subject
from reenact.lab.synthetic import (
    performed_by,
    random_scene,
    render_portraits,
    still_state,
    synthetic_motion,
    synthetic_person,
)
from reenact.media import VideoInfo, VideoWriter, probe, read_image
from reenact.media.files import asset
from reenact.tracking import TrackOptions, fit_frames, track
from reenact.tracking.flow import Anchor, Shot, followed
from reenact.tracking.refine import joined_frames, refined

PHOTO = asset("demo/astronaut.jpg")
SIDE, FRAMES = 256, 16
CHEEK = 205
MOTION = ("expression", "gaze", "rotation", "translation", "landmark_offset")


@dataclass(frozen=True)
class Clip:
    info: VideoInfo
    images: np.ndarray
    truth: np.ndarray  # [F, 478, 2] px
    states: Motion
    shot: Shot  # as a detector sees it


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    someone = synthetic_person(51, age=8.0)
    scene = random_scene(51, clean=True)
    act = synthetic_motion(54, FRAMES)
    states = performed_by(act, someone, scene)
    drawn = render_portraits([someone], states, [scene], SIDE, rest=[still_state(someone, scene)])
    path = tmp_path_factory.mktemp("flow") / "clip.mp4"
    with VideoWriter(path, Fraction(25), SIDE, SIDE, crf=8) as writer:
        for image in drawn.images:
            writer.write(image)
    truth = drawn.landmarks[..., :2]
    who, static = torch.from_numpy(someone.identity), torch.from_numpy(someone.offset)
    subject = Subject(open_head(), who, drawn.cameras[0], torch.zeros(LANDMARKS, 3), static_offset=static)
    return Clip(probe(path), drawn.images, truth, states, fitted_shot(subject, detected(truth), np.arange(FRAMES)))


@pytest.fixture(scope="module")
def after(clip: Clip) -> Motion:
    return refined(clip.info, [clip.shot])[0].fitted


def detected(truth: np.ndarray) -> np.ndarray:
    """True landmarks with a detector's errors: alike all over the face, other in every frame, and a little by point."""
    rng = np.random.default_rng(3)
    middle = truth.mean(axis=1, keepdims=True)
    bent = (truth - middle) @ rng.normal(0, 0.015, (len(truth), 2, 2)) + rng.normal(0, 0.8, (len(truth), 1, 2))
    return (truth + bent + rng.normal(0, 0.3, truth.shape)).astype(np.float32)


def fitted_shot(subject: Subject, points: np.ndarray, frames: np.ndarray) -> Shot:
    return Shot(subject, points, fit_frames(subject, points, joined_frames(frames, points)), frames)


def landmark_error_px(shot: Shot, fitted: Motion, truth: np.ndarray) -> float:
    """Of skin, apart from what is the same in all frames."""
    away = replace(shot, fitted=fitted).predicted - truth
    skin = np.setdiff1d(np.arange(468), [*LEFT_LIDS, *RIGHT_LIDS, *INNER_LIPS, *IRIS[0], *IRIS[1]])
    return float(np.sqrt(((away - np.median(away, axis=0))[:, skin] ** 2).sum(axis=-1).mean()))


def way_error_mm(fitted: Motion, states: Motion) -> float:
    """Of the head's place, apart from what is the same in all frames."""
    away = (fitted.translation - states.translation).numpy()
    return 1e3 * float(np.linalg.norm(away - np.median(away, axis=0), axis=1).mean())


def code_error(fitted: Motion, states: Motion) -> float:
    away = (fitted.expression - states.expression).numpy()
    return float(np.abs(away - np.median(away, axis=0)).mean())


@pytest.mark.slow
def test_pixels_correct_what_a_detector_gets_wrong(clip: Clip, after: Motion) -> None:
    before = clip.shot.fitted
    assert landmark_error_px(clip.shot, after, clip.truth) < 0.5 * landmark_error_px(clip.shot, before, clip.truth)
    assert way_error_mm(after, clip.states) < 0.7 * way_error_mm(before, clip.states)
    assert code_error(after, clip.states) < code_error(before, clip.states)
    assert after.expression.min() >= 0.0


@pytest.mark.slow
def test_what_a_fit_leaves_is_counted_without_offsets(clip: Clip, after: Motion) -> None:
    """Else a landmark would be as near as it was followed."""
    without = replace(clip.shot, fitted=plain(after))
    np.testing.assert_array_equal(replace(clip.shot, fitted=after).residual_px, without.residual_px)
    away = np.linalg.norm(without.predicted - clip.shot.points, axis=-1)
    np.testing.assert_array_equal(without.residual_px, np.median(away, axis=1))
    assert without.residual_px.min() > 0.1 and without.residual_px.max() < 5.0


def plain(fitted: Motion) -> Motion:
    """Without its offsets."""
    return fitted.replace(landmark_offset=None)


@pytest.mark.slow
def test_offsets_find_a_cheek_that_slips(clip: Clip, after: Motion, tmp_path: Path) -> None:
    """By 2.5 px to the right from the middle of the clip on, which no action does; the detector does not see it."""
    images, half = clip.images.copy(), FRAMES // 2
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    for row in range(half, FRAMES):
        at = clip.truth[row, CHEEK]
        bump = 2.5 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * 14.0**2))
        images[row] = cv2.remap(images[row], x - bump, y, cv2.INTER_CUBIC)
    with VideoWriter(tmp_path / "slips.mp4", Fraction(25), SIDE, SIDE, crf=8) as writer:
        for image in images:
            writer.write(image)
    fits = [refined(probe(tmp_path / "slips.mp4"), [clip.shot])[0].fitted, after]

    def later(fits: list[Motion]) -> float:
        slipped, still = (replace(clip.shot, fitted=fitted).predicted[:, CHEEK] for fitted in fits)
        px = slipped - still
        return float(px[half + 1 :, 0].mean() - px[: half - 1, 0].mean())

    by_actions, whole = later([plain(f) for f in fits]), later(fits)
    assert whole - by_actions > max(0.8, by_actions)  # the actions take a part, offsets more than that again
    assert 1.9 < whole < 2.6, whole


@pytest.mark.slow
def test_offsets_add_little_where_actions_say_it_all(clip: Clip, after: Motion) -> None:
    """This head can do all that was drawn: whatever is found beyond is the flow's error (0.36 px become 0.46)."""
    errors = [landmark_error_px(clip.shot, fitted, clip.truth) for fitted in (after, plain(after))]
    assert errors[0] < 1.4 * errors[1]


@pytest.mark.slow
def test_the_anchor_agrees_with_itself(clip: Clip) -> None:
    """Its own pixels, carried nowhere, give no flow: only what the detector usually says of each landmark is left."""
    row = clip.shot.anchor_row
    found, trust = Anchor(clip.shot, clip.images[row]).found(row, clip.images[row])
    corrected = followed(clip.shot.points[row][None], found[None], trust[None])[0]
    usual = clip.shot.predicted[row] + clip.shot.offset * clip.shot.size_px[row]
    moved = np.linalg.norm(corrected - clip.shot.points[row], axis=1) > 1e-3
    skin = np.setdiff1d(np.flatnonzero(moved), [*LEFT_LIDS, *RIGHT_LIDS, *INNER_LIPS, *IRIS[0], *IRIS[1]])
    away = np.linalg.norm(corrected - usual, axis=1)[skin]
    assert len(skin) > 300 and np.median(away) < 0.05


@pytest.mark.slow
def test_a_picture_of_something_else_is_hardly_followed(clip: Clip) -> None:
    anchor = Anchor(clip.shot, clip.images[clip.shot.anchor_row])
    noise = np.random.default_rng(1).integers(0, 256, clip.images[0].shape, np.uint8)
    found, trust = anchor.found(0, noise)
    step = np.linalg.norm(trust[:, None] * (found - clip.shot.points[0]), axis=1)
    assert np.isfinite(step).all() and np.median(step) < 1.0


@pytest.mark.slow
def test_frames_without_a_face_and_shots_of_one_frame(clip: Clip) -> None:
    rows = np.asarray([0, 1, 2, 4, 5, 8])
    first = fitted_shot(clip.shot.subject, clip.shot.points[rows], rows)
    single = fitted_shot(clip.shot.subject, clip.shot.points[12:13], np.asarray([12]))
    calls: list[tuple[int, int]] = []
    found = refined(clip.info, [first, single], lambda done, total: calls.append((done, total)))
    assert [len(shot.fitted) for shot in found] == [6, 1] and found[1] is single
    assert landmark_error_px(first, found[0].fitted, clip.truth[rows]) < landmark_error_px(
        first, first.fitted, clip.truth[rows]
    )
    assert calls == [(done, 12) for done in range(1, 13)]  # two rounds


@pytest.mark.slow
def test_shots_have_anchors_of_their_own(clip: Clip) -> None:
    half = FRAMES // 2
    parts = [slice(0, half), slice(half, FRAMES)]
    shots = [fitted_shot(clip.shot.subject, clip.shot.points[p], np.arange(FRAMES)[p]) for p in parts]
    together = refined(clip.info, shots)
    for shot, whole in zip(shots, together, strict=True):
        assert np.array_equal(refined(clip.info, [shot])[0].fitted.expression, whole.fitted.expression)


@pytest.mark.slow
def test_the_result_does_not_depend_on_the_number_of_threads(clip: Clip, after: Motion) -> None:
    threads = cv2.getNumThreads()
    count = 3 if threads == 1 else 1
    try:
        cv2.setNumThreads(count)
        other = refined(clip.info, [clip.shot])[0].fitted
        assert cv2.getNumThreads() == count
    finally:
        cv2.setNumThreads(threads)
    for name in MOTION:
        assert np.array_equal(getattr(after, name), getattr(other, name))


@pytest.mark.slow
def test_a_clip_of_one_frame_is_tracked_as_without(tmp_path: Path) -> None:
    photo = read_image(PHOTO)
    path = tmp_path / "one.mp4"
    with VideoWriter(path, Fraction(25), photo.shape[1], photo.shape[0]) as writer:
        writer.write(photo)
    one, plain = (track(open_head(), path, TrackOptions(refine=how)).motion for how in ("flow", "none"))
    assert len(one) == 1 and np.array_equal(one.expression, plain.expression)


def test_lids_open_and_close_as_the_detector_sees_it() -> None:
    """Flow cannot follow what is hidden and bared; it may move an eye as a whole. Blinks used to shrink by a sixth."""
    shift = np.random.default_rng(0).normal(size=(478, 2)).astype(np.float32)
    none = np.zeros((1, 478, 2), np.float32)
    moved = followed(none, shift[None], np.ones((1, 478), np.float32))[0]
    for lids, iris in zip((LEFT_LIDS, RIGHT_LIDS), IRIS, strict=True):
        eye = moved[[*lids, *iris]]
        assert np.ptp(eye, axis=0).max() == 0
        np.testing.assert_allclose(eye[0], shift[list(lids)].mean(axis=0), atol=1e-6)
    assert np.ptp(moved[list(INNER_LIPS)], axis=0).max() == 0
    nose = 1
    assert (moved[nose] == shift[nose]).all()


@pytest.mark.slow
def test_a_track_keeps_offsets_of_every_frame_if_it_was_refined(tmp_path: Path) -> None:
    photo = read_image(PHOTO)
    path = tmp_path / "moved.mp4"
    with VideoWriter(path, Fraction(25), photo.shape[1], photo.shape[0], crf=8) as writer:
        for shift in (0, 2, 4):
            writer.write(np.roll(photo, shift, axis=1))
    offset = track(open_head(), path).motion.landmark_offset
    assert offset is not None and offset.shape == (3, 478, 3)
    assert 0 < offset.abs().max() < 2e-3  # a head that shifts as one does hardly anything else
    assert track(open_head(), path, TrackOptions(refine="none")).motion.landmark_offset is None
