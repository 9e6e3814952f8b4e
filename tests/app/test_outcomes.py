# SPDX-License-Identifier: Apache-2.0
"""How each way of ending reaches the user, in a real process with real signals and native noise."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command_line import HANGS_S, SOURCES

# A shell that starts the tests in the background makes them, and all they start, ignore SIGINT.
PRELUDE = """
import os, signal, sys, time, warnings
signal.signal(signal.SIGINT, signal.default_int_handler)
from reenact import cli
from reenact.app.doctor import Doctor
def outcome(body):
    Doctor.run = body
    cli.main(["doctor"] + sys.argv[1:])
"""


def start(script: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SOURCES)},
    )


def ended(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Wait for the end of a process; return what it said on stdout and on stderr."""
    try:
        return process.communicate(timeout=HANGS_S)
    finally:
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_unwinds_and_is_one_line(tmp_path: Path, number: signal.Signals) -> None:
    partial = tmp_path / "partial"
    process = start(
        f"""
def body(self):
    open({str(partial)!r}, "w").close()
    try:
        print("working", flush=True)
        time.sleep(2 * {HANGS_S})
    finally:
        os.unlink({str(partial)!r})
outcome(body)
"""
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.send_signal(number)
    _, errors = ended(process)
    assert process.returncode == 130
    assert errors == "reenact: interrupted; nothing was written\n"
    assert not partial.exists()


def test_unforeseen_error_keeps_its_traceback() -> None:
    _, errors = ended(process := start("outcome(lambda self: {}['key'])"))
    assert process.returncode == 1
    assert "Traceback" in errors
    assert "KeyError: 'key'" in errors


@pytest.mark.parametrize(("error", "code"), [("InputError('bad.jpg is no photo')", 2), ("ValueError('a bug')", 1)])
def test_only_errors_meant_for_the_user_lose_their_traceback(error: str, code: int) -> None:
    script = f"""
def body(self):
    from reenact.media.errors import InputError
    raise {error}
outcome(body)
"""
    _, errors = ended(process := start(script))
    assert process.returncode == code
    assert (errors == "reenact: bad.jpg is no photo\n") == (code == 2)
    assert ("Traceback" in errors) == (code == 1)


def test_doctor_runs_where_every_package_is_missing() -> None:
    script = """
from importlib.machinery import PathFinder
class Without(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        absent = ("torch", "numpy", "scipy", "av", "cv2", "mediapipe", "warp", "safetensors", "PIL")
        return None if name in absent else super().find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Without
cli.main(["doctor"])
"""
    process = start(script)
    output, errors = ended(process)
    assert (process.returncode, errors) == (1, "")
    assert output.count("pip install") >= 9


NOISE = "outcome(lambda self: os.write(2, b'native chatter\\n') and warnings.warn('old protobuf') or 0)"


def test_native_chatter_is_not_shown() -> None:
    _, errors = ended(process := start(NOISE))
    assert (process.returncode, errors) == (0, "")


def test_verbose_shows_native_chatter() -> None:
    _, errors = ended(process := start(NOISE, "-v"))
    assert process.returncode == 0
    assert "native chatter" in errors
    assert "old protobuf" in errors


def test_native_crash_still_leaves_a_trace() -> None:
    _, errors = ended(process := start("import ctypes\noutcome(lambda self: ctypes.string_at(0))"))
    assert process.returncode != 0
    assert "Segmentation fault" in errors or "access violation" in errors


def test_log_of_the_project_reaches_stderr_only_from_warnings_on() -> None:
    script = """
import logging
def body(self):
    logging.getLogger("reenact.tracking").info("detail")
    logging.getLogger("reenact.tracking").warning("face lost in frames 3-5")
    return 0
outcome(body)
"""
    _, errors = ended(start(script))
    assert errors == "reenact: face lost in frames 3-5\n"
    _, errors = ended(start(script, "-v"))
    assert errors == "reenact: detail\nreenact: face lost in frames 3-5\n"
