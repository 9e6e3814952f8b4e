# SPDX-License-Identifier: Apache-2.0
"""The command as a user runs it, in a process of its own, from this checkout's sources."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "src"


def run_reenact(*arguments: str, folder: Path | None = None, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    """`reenact ARGUMENTS` in `folder`; its exit code and what it said."""
    environment = os.environ | {"PYTHONPATH": str(SOURCES), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "reenact", *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=folder,
        env=environment,
        check=False,
    )
