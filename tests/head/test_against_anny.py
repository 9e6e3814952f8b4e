# SPDX-License-Identifier: Apache-2.0
"""The asset against the package it was derived from: people of all ages must be inside its identity space."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("anny", reason="anny is needed only to rebuild the head (extra build-head)")


@pytest.mark.slow
def test_people_of_every_age_are_inside_the_identity_basis() -> None:
    command = [sys.executable, "-m", "scripts.build_head.check"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
