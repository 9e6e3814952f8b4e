# SPDX-License-Identifier: Apache-2.0
"""The command as a user runs it, from this checkout's sources: in a process of its own, or in this one."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from reenact.cli import is_for_the_user, parse

SOURCES = Path(__file__).parents[1] / "src"
HANGS_S = 600.0
"""After which a process counts as hanging.

Chosen: ten times what the longest takes on one core. Twice as long only makes a test that hangs fail later.
"""


def run_reenact(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`reenact ARGUMENTS` in `folder`; its exit code and what it said."""
    environment = os.environ | {"PYTHONPATH": str(SOURCES), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "reenact", *arguments],
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        cwd=folder,
        env=environment,
        check=False,
    )


def run_here(*arguments: str, folder: Path) -> str:
    """What `reenact ARGUMENTS` prints in `folder` when all goes well, in this process: nothing is imported anew."""
    printed = io.StringIO()
    with _inside(folder), contextlib.redirect_stdout(printed):
        assert parse(arguments).run() == 0
    return printed.getvalue()


def refusal(*arguments: str, folder: Path) -> str:
    """The sentence with which `reenact ARGUMENTS` refuses in `folder`, before it has printed anything.

    In this process: to start Python for each sentence takes most of the time. tests/app/test_cli.py shows in a process
    of its own what becomes of such a sentence: one line on stderr, and exit code 2.
    """
    printed = io.StringIO()
    with _inside(folder), contextlib.redirect_stdout(printed), pytest.raises(ValueError) as raised:
        parse(arguments).run()
    assert is_for_the_user(raised.value), raised.value
    said = str(raised.value)
    assert said and "\n" not in said
    assert printed.getvalue() == ""
    return said


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
