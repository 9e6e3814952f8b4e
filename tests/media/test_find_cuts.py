# SPDX-License-Identifier: Apache-2.0
"""Cuts are found at their frame; motion, blur, fades and flashes are none."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_clips import NO_SHARED, SHARED

from reenact.media import CutDetector, read_frames


def found(images: Iterable[np.ndarray]) -> list[int]:
    detector = CutDetector()
    return [index for index, img in enumerate(images) if detector.update(img)]


def scene(seed: int) -> np.ndarray:
    """uint8 [300, 400, 3]: soft coloured blobs, as different as two shots are."""
    rng = np.random.default_rng(seed)
    blobs = cv2.GaussianBlur(rng.normal(size=(300, 400, 3)), (0, 0), 14)
    return np.clip(127 + blobs * (55 / blobs.std()), 0, 255).astype(np.uint8)


def view(img: np.ndarray, x: float, y: float) -> np.ndarray:
    return img[int(y) : int(y) + 200, int(x) : int(x) + 240]


def test_hard_cuts_are_found_at_their_frame() -> None:
    shots = [scene(seed) for seed in range(12)]
    images = (view(shot, 30 + 3 * k, 40 + k) for shot in shots for k in range(9))
    assert found(images) == [9 * k for k in range(1, 12)]


def test_motion_blur_and_flashes_are_no_cuts() -> None:
    still = scene(3)
    shaking = [view(still, 100 + 16 * np.sin(k), 90 + 12 * np.cos(1.3 * k)) for k in range(60)]
    shaking = [cv2.GaussianBlur(img, (0, 0), 0.1 + 6 * abs(np.sin(0.9 * k))) for k, img in enumerate(shaking)]
    assert found(shaking) == []
    flashing = [view(still, 100, 90).astype(float) * (1.6 if k % 9 == 4 else 0.7) for k in range(40)]
    assert found(np.clip(img, 0, 255).astype(np.uint8) for img in flashing) == []


def test_fades_are_no_cuts_but_black_frames_are() -> None:
    img = view(scene(5), 50, 50).astype(float)
    levels = [1.0] * 6 + list(np.linspace(1, 0, 25)) + [0.0] * 6 + list(np.linspace(0, 1, 25))
    assert found((img * level).astype(np.uint8) for level in levels) == []
    assert found((img * level).astype(np.uint8) for level in [1, 1, 1, 0, 0, 0, 1, 1]) == [3, 6]


def test_a_still_picture_has_no_cuts_and_the_first_frame_is_none() -> None:
    assert found([scene(1)] * 5) == []
    assert found([np.zeros((70, 90, 3), np.uint8)] * 5) == []


@pytest.mark.parametrize(
    ("clip", "cuts"),
    [
        ("dev/clips/hellomeme_jgz.mp4", [31]),
        ("dev/clips/hellomeme_nhs.mp4", [53]),
        ("dev/clips/liveportrait_d12.mp4", []),
        ("hard/clips/facerec_short_hamilton_clip.mp4", [20, 82, 211]),
    ],
)
def test_real_clips(clip: str, cuts: list[int]) -> None:
    path: Path = SHARED / clip
    if not path.is_file():
        pytest.skip(NO_SHARED)
    assert found(frame.image for frame in read_frames(path)) == cuts
