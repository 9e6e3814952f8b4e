# SPDX-License-Identifier: Apache-2.0
"""The command as a user runs it: exit codes, one sentence, nothing heavy for a help text."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import reenact
from tests.command_line import HANGS_S, SOURCES, run_reenact

HEAVY = ("torch", "numpy", "cv2", "mediapipe", "av", "warp", "scipy", "safetensors", "PIL")


def test_help_names_every_command() -> None:
    done = run_reenact("--help")
    assert done.returncode == 0
    assert all(verb in done.stdout for verb in ("animate", "track", "edit", "doctor"))


def test_no_arguments_gives_the_help() -> None:
    assert run_reenact().stdout == run_reenact("--help").stdout


def test_version() -> None:
    assert run_reenact("--version").stdout == f"reenact {reenact.__version__}\n"


def test_parsing_loads_nothing_heavy() -> None:
    """What makes `--help` slow is imports; counting them is exact where a stopwatch is not."""
    script = (
        "import sys; from reenact.cli import parse; parse('animate a b -o c.mp4'.split());"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    environment = os.environ | {"PYTHONPATH": str(SOURCES)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        env=environment,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("animate", "missing.jpg", "talking", "-o", "out.mp4"), "missing.jpg"),
        (("animate", "folder", "talking", "-o", "out.mp4"), "folder"),
        (("animate", "empty.jpg", "talking", "-o", "out.mp4"), "empty.jpg"),
        (("animate", "file.jpg", "no-such-motion", "-o", "out.mp4"), "no-such-motion"),
        (("animate", "file.jpg", "file.jpg", "-o", "out.avi"), "out.avi"),
        (("animate", "file.jpg", "file.jpg", "-o", "nowhere/out.mp4"), "nowhere"),
        (("animate", "file.jpg", "file.jpg", "-o", "out.mp4", "--strength", "eyes"), "eyes"),
        (("animate", "file.jpg", "talking", "-o", "out.mp4", "--detail=copied"), "want own, the source person's"),
        (("track", "missing.mp4", "-o", "out.motion.safetensors"), "missing.mp4"),
        (("track", "file.jpg", "-o", "out.safetensors"), "out.safetensors"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], named: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "file.jpg").write_text("no picture")
    before = sorted(tmp_path.iterdir())
    done = run_reenact(*arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("reenact: ")
    assert named in done.stderr
    assert sorted(tmp_path.iterdir()) == before
