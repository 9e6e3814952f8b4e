# SPDX-License-Identifier: Apache-2.0
"""What a number depends on besides its inputs: code, machine, versions."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import reenact

_PACKAGES = ("torch", "numpy", "mediapipe", "opencv-contrib-python", "av", "warp-lang", "torchmetrics", "dlib-bin")


def provenance() -> dict[str, Any]:
    """Version and git commit of this project, machine, versions of what it rests on; for every result file."""
    return {
        "reenact": reenact.__version__,
        "commit": git("rev-parse", "--verify", "--quiet", "HEAD") or "not in a git checkout",
        "uncommitted_changes": bool(git("status", "--porcelain", "--untracked-files=no")),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name)) is not None},
    }


def git(*arguments: str) -> str:
    """Output of git in the checkout this code runs from; empty where there is none."""
    command = ["git", *arguments]
    try:
        done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
