# SPDX-License-Identifier: Apache-2.0
"""Chatter of native libraries is hidden, and nothing else."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from reenact.media.native_messages import without_native_messages


def test_native_messages_are_hidden_inside_of_the_block_alone(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before ")
    with without_native_messages(), without_native_messages():
        os.write(2, b"inside ")
    with pytest.raises(ValueError, match="raised"), without_native_messages():
        raise ValueError("raised")
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"


def test_stderr_comes_back_whichever_thread_ends_first(capfd: pytest.CaptureFixture[str]) -> None:
    barrier = Barrier(2)

    def work(first: bool) -> None:
        with without_native_messages():
            barrier.wait()
            if not first:
                barrier.wait()
            os.write(2, b"inside")
        if first:
            barrier.wait()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, (True, False)))
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_debug_messages_show_them(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "reenact"), without_native_messages():
        os.write(2, b"shown")
    assert capfd.readouterr().err == "shown"


def test_looking_at_a_photo_writes_nothing_to_stderr() -> None:
    code = (
        "from reenact.media import read_image; from reenact.media.files import asset\n"
        "from reenact.perception import detect_faces; from reenact.perception.person_mask import person_mask\n"
        "photo = read_image(asset('demo/astronaut.jpg'))\n"
        "assert len(detect_faces(photo, None)) == 1 and person_mask(photo).max() > 0.9"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stderr == ""
