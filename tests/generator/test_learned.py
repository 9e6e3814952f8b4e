# SPDX-License-Identifier: Apache-2.0
"""Learned generators on a real photo: their square, their controls, and their frames."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from demo_subject import DemoSubject

from reenact.generator.diffusion.compact.flow import CompactPredictor, Sampling
from reenact.generator.diffusion.compact.network import CompactConfig, CompactNet
from reenact.generator.diffusion.controls import NO_SURFACE, Controls, Prediction, Predictor, normals_to_float
from reenact.generator.diffusion.generator import LearnedGenerator, head_images, head_square
from reenact.head.motion import Motion
from reenact.head.regions import EYEBALL, REGIONS, region_ids
from reenact.rendering.head_renderer import HeadRenderer


def learned(demo: DemoSubject, predictor: Predictor) -> LearnedGenerator:
    return LearnedGenerator(demo.subject, demo.reference, predictor)


def frames_of(demo: DemoSubject, generator: LearnedGenerator, motion: Motion) -> Iterator[np.ndarray]:
    """Frames from maps that are rendered when they are asked for."""
    return (frame.numpy() for frame in generator.frames(motion, partial(demo.maps.stream, motion)))


def untrained() -> CompactPredictor:
    return CompactPredictor(CompactNet(CompactConfig(widths=(8, 16, 64), depth=1)), Sampling(steps=1))


def test_controls_show_the_personal_heads_own_detail(demo: DemoSubject) -> None:
    """A dent of the forehead that only the finer mesh holds is in the normals, of the reference and of every frame."""
    fine = demo.subject.levels[1]
    forehead = demo.subject.neutral(1)[:, 1].argmax()
    points = demo.subject.neutral(1)
    at = points[(points - points[forehead]).norm(dim=1).argmin()] - torch.tensor([0.0, 0.06, -0.04])
    dent = torch.exp(-(points - at).square().sum(1) / (2 * 0.006**2)) * fine.soft
    personal = demo.subject.replace(fine_offset=torch.tensor([0.0, 0.0, -0.003]) * dent[:, None])
    pictures = []
    for subject in (demo.subject, personal):
        predictor = RecordingPredictor()
        renderer = HeadRenderer(subject, demo.reference)
        generator = LearnedGenerator(subject, demo.reference, predictor)
        list(generator.frames(demo.motion, partial(renderer.stream, demo.motion)))
        controls = predictor.controls[0]
        pictures.append((controls.reference_normals[0], controls.normals[0, 0]))
    for plain, detailed in zip(*pictures, strict=True):
        angle = torch.rad2deg(torch.acos((plain * detailed).sum(0).clamp(-1, 1)))
        changed = angle[(plain.norm(dim=0) > 0.5) & (detailed.norm(dim=0) > 0.5)] > 8
        assert 0.001 < changed.float().mean() < 0.2


def test_maps_of_every_level_show_the_same_correspondence(demo: DemoSubject) -> None:
    for level in (1, 2):
        maps = HeadRenderer(demo.subject, demo.reference, 128, level=level)(demo.motion)
        assert maps.reference_px is not None and maps.visibility is not None and maps.uv is None
        y, x = torch.nonzero(maps.mask[0] & (maps.visibility[0] > 0.9), as_tuple=True)
        assert len(y) > 500
        assert (maps.reference_px[0, y, x] - torch.stack([x, y], 1) - 0.5).abs().max() < 0.05


def test_an_untrained_network_leaves_the_warp(demo: DemoSubject) -> None:
    motion = Motion.joined([demo.motion_with({"jawOpen": 0.1 * i}, yaw=i) for i in range(4)])
    frames = list(frames_of(demo, learned(demo, untrained()), motion))
    for frame, frame_motion in zip(frames, motion, strict=True):
        head = head_images(demo.maps(frame_motion, demo.camera))
        hidden = ~np.isin(head.regions.numpy(), (*region_ids(*EYEBALL), 255)) & (head.visibility.numpy() < 255)
        near = cv2.dilate(hidden.astype(np.uint8), np.ones((15, 15))) > 0  # without fine detail
        away = np.abs(frame.astype(int) - demo.generator.render(frame_motion))
        assert away[~near].max() <= 2
        assert near.mean() < 0.25


class RecordingPredictor:
    """A predictor of grey images that records its arguments."""

    size, window, overlap = 64, 4, 1

    def __init__(self) -> None:
        self.controls: list[Controls] = []
        self.previous: list[torch.Tensor | None] = []

    def predict(self, controls: Controls, previous: torch.Tensor | None) -> Prediction:
        self.controls.append(controls)
        self.previous.append(previous)
        grey = torch.full_like(controls.warped[0], 0.1 * len(self.controls))
        return Prediction(grey, torch.zeros_like(grey[:, :2]))


def test_windows_have_controls_of_their_frames_and_the_frames_of_the_window_before(demo: DemoSubject) -> None:
    predictor = RecordingPredictor()
    motion = Motion.joined([demo.motion_with({"jawOpen": 0.1 * i}) for i in range(9)])
    frames = list(frames_of(demo, learned(demo, predictor), motion))
    assert len(frames) == 9
    assert [c.frames for c in predictor.controls] == [4, 4, 3]
    assert predictor.previous[0] is None
    for previous, tone in zip(predictor.previous[1:], (0.1, 0.2), strict=True):
        assert previous is not None
        torch.testing.assert_close(previous, torch.full_like(previous, tone))
    last, first = predictor.controls[0], predictor.controls[1]
    assert torch.equal(last.warped[:, -1], first.warped[:, 0])  # the frame that both windows have
    assert torch.equal(last.reference, first.reference)
    assert not torch.equal(first.normals[:, 0], first.normals[:, 1])


def test_a_generator_streams(demo: DemoSubject) -> None:
    predictor = RecordingPredictor()
    frames = frames_of(demo, learned(demo, predictor), Motion.joined([demo.motion] * 50))
    next(frames)
    assert len(predictor.controls) == 1


def test_the_square_holds_the_head_wherever_it_goes(demo: DemoSubject) -> None:
    motion = Motion.joined([demo.motion, demo.motion_with(yaw=25), demo.motion_with(pitch=20)])
    square = head_square(demo.head, motion, demo.reference, 64)
    camera = demo.camera.cropped(square.x0, square.y0, square.size, 64)
    for frame_motion in motion:
        inside = head_images(demo.maps(frame_motion, camera)).regions != 255
        whole = demo.maps(frame_motion).mask[0].numpy()
        share = inside.sum() * (square.size / 64) ** 2 / (whole.sum() * (demo.camera.width / 256) ** 2)
        assert share == pytest.approx(1.0, abs=0.03)
    small = head_square(demo.head, demo.motion[:0], demo.reference, 64)
    assert small.size < square.size


@pytest.mark.parametrize("z", [-0.5, 0.0, 50.0])
def test_a_head_behind_or_far_away_still_has_a_square(demo: DemoSubject, z: float) -> None:
    away = demo.motion.replace(translation=[[0.0, 0.0, z]])
    square = head_square(demo.head, away, demo.reference, 64)
    assert 0 <= square.x0 <= square.x0 + square.size <= demo.camera.width


def test_controls_equal_the_maps(demo: DemoSubject) -> None:
    motion = demo.motion_with({"jawOpen": 0.7})
    head = head_images(demo.maps(motion, demo.camera.scaled(256 / 384)))
    maps = demo.maps(motion)
    controls = Controls.from_images(demo.reference.image, head, [demo.reference.image], [head])
    assert (controls.normals[0, 0].permute(1, 2, 0) - maps.normals[0]).abs().max() < 0.01
    assert torch.equal(controls.regions[0, 0], maps.regions[0].to(torch.uint8))
    assert maps.visibility is not None
    assert (controls.visibility[0, 0, 0] - maps.visibility[0]).abs().max() < 0.01
    mouth = controls.regions[0, 0] == REGIONS.index("mouth_cavity")
    assert mouth.any()
    assert controls.visibility[0, 0, 0][mouth].max() < 0.1  # a shut mouth shows nothing of its inside
    nothing = torch.full((2, 2, 3), NO_SURFACE, dtype=torch.uint8)
    assert normals_to_float(nothing).abs().max() == 0


def test_a_longer_window_repeats_its_last_frame(demo: DemoSubject) -> None:
    head = head_images(demo.maps(demo.motion, demo.camera.scaled(64 / 384)))
    image = demo.reference.image
    controls = Controls.from_images(image, head, [image, 255 - image], [head, head]).repeat_last(3)
    assert controls.frames == 5
    assert torch.equal(controls.warped[:, 1], controls.warped[:, 4])
    assert not torch.equal(controls.warped[:, 0], controls.warped[:, 1])
