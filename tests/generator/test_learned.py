# SPDX-License-Identifier: Apache-2.0
"""Learned generators on a real photo: the square they work on, what they are told, and what comes out of `frames`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import cv2
import numpy as np
import pytest
import torch
from portraits import Portrait

from reenact.generator.diffusion.compact.flow import CompactPainter, Sampling
from reenact.generator.diffusion.compact.network import CompactConfig, CompactNet
from reenact.generator.diffusion.controls import NO_SURFACE, Controls, Paint, Painter, controls_of, directions
from reenact.generator.diffusion.paint import LearnedGenerator, head_pictures, worked_square
from reenact.head.motion import Motion
from reenact.head.regions import EYEBALL, REGIONS, region_ids


def learned(portrait: Portrait, painter: Painter) -> LearnedGenerator:
    return LearnedGenerator(portrait.head, portrait.reference, painter)


def frames_of(portrait: Portrait, generator: LearnedGenerator, states: Motion) -> Iterator[np.ndarray]:
    """Frames painted from maps that are rendered as they are asked for."""
    return (frame.numpy() for frame in generator.frames(states, partial(portrait.maps.stream, states)))


def untrained() -> CompactPainter:
    return CompactPainter(CompactNet(CompactConfig(widths=(8, 16, 64), depth=1)), Sampling(steps=1))


def test_untrained_paint_is_the_warp(portrait: Portrait) -> None:
    states = Motion.joined([portrait.doing({"jawOpen": 0.1 * i}, yaw=i) for i in range(4)])
    painted = list(frames_of(portrait, learned(portrait, untrained()), states))
    for frame, state in zip(painted, states, strict=True):
        head = head_pictures(portrait.maps(state, portrait.camera))
        hidden = ~np.isin(head.regions, (*region_ids(*EYEBALL), 255)) & (head.visibility < 255)
        near = cv2.dilate(hidden.astype(np.uint8), np.ones((15, 15))) > 0  # there what is finer than the paint is gone
        away = np.abs(frame.astype(int) - portrait.generator.render(state))
        assert away[~near].max() <= 2
        assert near.mean() < 0.25


class Asked:
    """A painter that makes everything it is told grey, and remembers what that was."""

    size, window, overlap = 64, 4, 1

    def __init__(self) -> None:
        self.controls: list[Controls] = []
        self.before: list[torch.Tensor | None] = []

    def paint(self, controls: Controls, before: torch.Tensor | None) -> Paint:
        self.controls.append(controls)
        self.before.append(before)
        grey = torch.full_like(controls.warped[0], 0.1 * len(self.controls))
        return Paint(grey, torch.zeros_like(grey[:, :2]))


def test_windows_are_told_of_their_own_frames_and_of_what_was_painted(portrait: Portrait) -> None:
    painter = Asked()
    states = Motion.joined([portrait.doing({"jawOpen": 0.1 * i}) for i in range(9)])
    frames = list(frames_of(portrait, learned(portrait, painter), states))
    assert len(frames) == 9
    assert [c.frames for c in painter.controls] == [4, 4, 3]
    assert painter.before[0] is None
    for before, tone in zip(painter.before[1:], (0.1, 0.2), strict=True):
        assert before is not None
        torch.testing.assert_close(before, torch.full_like(before, tone))
    last, first = painter.controls[0], painter.controls[1]
    assert torch.equal(last.warped[:, -1], first.warped[:, 0])  # the frame that both windows have
    assert torch.equal(last.photo, first.photo)  # the photo is told to every window anew
    assert not torch.equal(first.normals[:, 0], first.normals[:, 1])


def test_a_generator_streams(portrait: Portrait) -> None:
    painter = Asked()
    frames = frames_of(portrait, learned(portrait, painter), Motion.joined([portrait.state] * 50))
    next(frames)
    assert len(painter.controls) == 1


def test_the_square_holds_the_head_wherever_it_goes(portrait: Portrait) -> None:
    states = Motion.joined([portrait.state, portrait.doing(yaw=25), portrait.doing(pitch=20)])
    square = worked_square(portrait.head, states, portrait.reference, 64)
    seen = portrait.camera.cropped(square.x0, square.y0, square.size, 64)
    for state in states:
        inside = head_pictures(portrait.maps(state, seen)).regions != 255
        whole = portrait.maps(state).mask[0].numpy()
        share = inside.sum() * (square.size / 64) ** 2 / (whole.sum() * (portrait.camera.width / 256) ** 2)
        assert share == pytest.approx(1.0, abs=0.03)
    small = worked_square(portrait.head, portrait.state[:0], portrait.reference, 64)
    assert small.size < square.size


@pytest.mark.parametrize("z", [-0.5, 0.0, 50.0])
def test_a_head_behind_or_far_away_still_has_a_square(portrait: Portrait, z: float) -> None:
    away = portrait.state.replace(translation=[[0.0, 0.0, z]])
    square = worked_square(portrait.head, away, portrait.reference, 64)
    assert 0 <= square.x0 <= square.x0 + square.size <= portrait.camera.width


def test_controls_say_the_same_as_the_maps(portrait: Portrait) -> None:
    state = portrait.doing({"jawOpen": 0.7})
    head = head_pictures(portrait.maps(state, portrait.camera.scaled(256 / 384)))
    maps = portrait.maps(state)
    controls = controls_of(portrait.photo, head, [portrait.photo], [head])
    assert (controls.normals[0, 0].permute(1, 2, 0) - maps.normals[0]).abs().max() < 0.01
    assert torch.equal(controls.regions[0, 0], maps.regions[0].to(torch.uint8))
    assert maps.visibility is not None
    assert (controls.visibility[0, 0, 0] - maps.visibility[0]).abs().max() < 0.01
    mouth = controls.regions[0, 0] == REGIONS.index("mouth_cavity")
    assert mouth.any()
    assert controls.visibility[0, 0, 0][mouth].max() < 0.1  # a shut mouth shows nothing of its inside
    nothing = np.full((2, 2, 3), NO_SURFACE, np.uint8)
    assert directions(nothing).abs().max() == 0


def test_a_held_window_repeats_its_last_frame(portrait: Portrait) -> None:
    head = head_pictures(portrait.maps(portrait.state, portrait.camera.scaled(64 / 384)))
    controls = controls_of(portrait.photo, head, [portrait.photo, 255 - portrait.photo], [head, head]).held(3)
    assert controls.frames == 5
    assert torch.equal(controls.warped[:, 1], controls.warped[:, 4])
    assert not torch.equal(controls.warped[:, 0], controls.warped[:, 1])
