# SPDX-License-Identifier: Apache-2.0
"""Files that broke other programs: frames and pictures, or one sentence."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from made_clips import NO_SHARED, SHARED

from reenact.media import InputError, probe, read_frames, read_image

UNREADABLE = {"derived_empty.mp4", "derived_text.mp4", "derived_truncated.mp4", "derived_truncated.jpg"}


def files(folder: str) -> list[Path]:
    found = sorted(path for path in (SHARED / "hard" / folder).glob("*") if path.is_file())
    if not found:
        pytest.skip(NO_SHARED)
    return found


def test_clips() -> None:
    refused: set[str] = set()
    for path in files("clips"):
        try:
            info = probe(path)
            frames = list(islice(read_frames(info), 5))
        except InputError as error:
            refused.add(path.name)
            assert str(path) in str(error) and "\n" not in str(error)
            continue
        assert 1 <= info.fps <= 240 and info.frames and info.duration_s
        assert len(frames) == min(5, info.frames)
        assert [frame.index for frame in frames] == list(range(len(frames)))
        for frame in frames:
            assert frame.image.shape == (info.height, info.width, 3) and frame.image.dtype == np.uint8
    assert refused == {name for name in UNREADABLE if name.endswith(".mp4")}


def test_photos() -> None:
    refused: set[str] = set()
    for path in files("photos"):
        try:
            img = read_image(path)
        except InputError as error:
            refused.add(path.name)
            assert str(path) in str(error) and "\n" not in str(error)
            continue
        assert img.dtype == np.uint8 and img.ndim == 3 and min(img.shape[:2]) >= 64
    assert refused == {name for name in UNREADABLE if name.endswith(".jpg")}


def test_edit_list_of_a_real_file() -> None:
    path = SHARED / "dev" / "clips" / "3ddfa_obama.mp4"  # 158 frames stored, 55 shown
    if not path.is_file():
        pytest.skip(NO_SHARED)
    assert sum(1 for _ in read_frames(path)) == 55
