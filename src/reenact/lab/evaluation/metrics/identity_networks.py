# SPDX-License-Identifier: Apache-2.0
"""Identity networks behind one protocol, and the ArcFace-style ONNX file a user may bring."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..extra import onnx_session, sha256
from ..observe import Image

ARCFACE_PX: Final = 112
ARCFACE_POINTS: Final = np.asarray(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
"""Where ArcFace (Deng et al. 2019) has eyes, nose tip and mouth corners in its 112 px square; picture's left first."""


class IdentityNetwork(Protocol):
    """Reads an identity embedding off one face."""

    @property
    def key(self) -> str: ...  # suffix of the values' names
    @property
    def name(self) -> str: ...
    @property
    def weights_sha256(self) -> str | None: ...

    def __call__(self, image: Image, points_68: NDArray[np.float64]) -> NDArray[np.float64]:
        """Embed the face at dlib's points [68, 2] px of a uint8 RGB image [H, W, 3]: [D]."""
        ...


class OnnxIdentity:
    """An ArcFace-style network: float [1, 3, 112, 112] RGB in -1..1 to [1, D].

    Raises InputError if the file cannot be used or onnxruntime is not installed.
    """

    def __init__(self, path: Path) -> None:
        self._session = onnx_session(path)
        self._input = self._session.get_inputs()[0].name
        self.key = path.stem
        self.name = f"{path.name}, 112 px aligned by 5 points"
        self.weights_sha256: str | None = sha256(path)

    def __call__(self, image: Image, points_68: NDArray[np.float64]) -> NDArray[np.float64]:
        chip = aligned_112(image, points_68).astype(np.float32)
        x = ((chip - np.float32(127.5)) / np.float32(127.5)).transpose(2, 0, 1)[None]
        found = self._session.run(None, {self._input: np.ascontiguousarray(x)})[0]
        return np.asarray(found, np.float64).reshape(-1)


def five_points(points_68: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reduce points [68, 2] to [5, 2]: eye centres, nose tip, mouth corners, the picture's left first."""
    eyes = points_68[36:42].mean(0), points_68[42:48].mean(0)
    return np.stack([*eyes, points_68[30], points_68[48], points_68[54]])


def similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fit the rotation, scale and shift [2, 3] that take points [N, 2] nearest to others (Umeyama 1991)."""
    a, b = source - source.mean(0), target - target.mean(0)
    # a rotation and scale of the plane is one complex number
    ca, cb = a[:, 0] + 1j * a[:, 1], b[:, 0] + 1j * b[:, 1]
    turn = (ca.conj() @ cb) / max((ca.conj() @ ca).real, 1e-12)
    linear = np.asarray([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return np.concatenate([linear, (target.mean(0) - linear @ source.mean(0))[:, None]], axis=1)


def aligned_112(image: Image, points_68: NDArray[np.float64]) -> Image:
    """Align a face as ArcFace expects it: uint8 RGB [112, 112, 3]."""
    matrix = similarity(five_points(points_68), ARCFACE_POINTS)
    return np.asarray(cv2.warpAffine(image, matrix, (ARCFACE_PX, ARCFACE_PX), flags=cv2.INTER_LINEAR))
