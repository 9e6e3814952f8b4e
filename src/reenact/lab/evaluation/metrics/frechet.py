# SPDX-License-Identifier: Apache-2.0
"""A Frechet distance over features of short clips (as FVD, Unterthiner et al. 2018), by a network the user supplies.

FVD proper uses an I3D whose weights are not ours to ship.  Any network that maps clips to vectors can be given, as
TorchScript or ONNX; its file name and digest are part of the number's name.  Features of many clips should be pooled:
with fewer windows than features the distance is biased upwards, and the count stands beside it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reenact.media import InputError
from reenact.media.files import existing_file

from ..about import About, Value
from ..extra import onnx_session, sha256
from ..observe import Image, ObservedFrame

Features = NDArray[np.float64]  # [N, D]


@dataclass
class NetworkFeatures:
    """A TorchScript (.pt, .ts) or ONNX file that maps float [1, 3, T, S, S] in -1..1 to [1, D].

    Raises InputError if the file is missing or cannot be opened, or, for ONNX, without onnxruntime.
    """

    path: Path
    frames: int = 16
    size: int = 224

    def __post_init__(self) -> None:
        existing_file(self.path, "a TorchScript or ONNX clip network")
        self.name = f"clip features by {self.path.name}, {self.frames} frames at {self.size} px"
        self.weights_sha256: str | None = sha256(self.path)
        self._run: Any
        if self.path.suffix == ".onnx":
            session = onnx_session(self.path)
            name = session.get_inputs()[0].name
            self._run = lambda x: session.run(None, {name: x})[0]
            return
        try:
            network = torch.jit.load(str(self.path), map_location="cpu").eval()
        except (RuntimeError, ValueError) as error:
            raise InputError(f"{self.path} is no TorchScript network that can be loaded") from error
        self._run = lambda x: network(torch.from_numpy(x)).numpy()

    def __call__(self, clip: NDArray[np.uint8]) -> NDArray[np.float64]:
        small = [cv2.resize(frame, (self.size, self.size), interpolation=cv2.INTER_AREA) for frame in clip]
        x = np.stack(small).transpose(3, 0, 1, 2)[None].astype(np.float32) / np.float32(127.5) - 1
        with torch.no_grad():
            return np.asarray(self._run(np.ascontiguousarray(x)), np.float64).reshape(-1)


class Frechet:
    """Features of consecutive, not overlapping windows of output and real video, and their distance in this clip."""

    def __init__(self, network: NetworkFeatures) -> None:
        self._network = network
        self._held: tuple[deque[Image], deque[Image]] = (deque(), deque())  # at most one window's frames
        self.features: tuple[list[Features], list[Features]] = ([], [])

    def update(self, moment: ObservedFrame) -> None:
        for held, found, image in zip(self._held, self.features, (moment.output, moment.real), strict=True):
            held.append(image.image)
            if len(held) == self._network.frames:
                found.append(self._network(np.stack(held)))
                held.clear()

    def values(self) -> list[Value]:
        about = About(
            "frechet_clip", None, "lower", "squared Frechet distance of Gaussians fitted to window features, this clip",
            self._network.name, self._network.weights_sha256,
        )  # fmt: skip
        windows = len(self.features[0])
        distance = float("nan")
        if windows >= 2:
            output, real = (np.stack(found) for found in self.features)
            distance = frechet_of_features(output, real)
        return [Value(about, distance, beside={"windows": windows})]


def frechet_of_features(a: Features, b: Features) -> float:
    """Compute the squared Frechet distance of Gaussians fitted to features [N, D] and [M, D].

    Raises ValueError below 2 rows.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"a covariance needs 2 rows, got {len(a)} and {len(b)}")
    return frechet_distance(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False))


def frechet_distance(mean_a: Features, cov_a: Features, mean_b: Features, cov_b: Features) -> float:
    """Compute |m_a - m_b|^2 + tr(A + B - 2 (A B)^(1/2)) of means [D], covariances [D, D] (Dowson and Landau 1982)."""
    cov_a, cov_b = np.atleast_2d(cov_a), np.atleast_2d(cov_b)
    values, vectors = np.linalg.eigh(cov_a)
    root = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    # A B and root B root have the same eigenvalues, and the latter is symmetric: no complex square root is needed.
    cross = np.sqrt(np.clip(np.linalg.eigvalsh(root @ cov_b @ root), 0, None)).sum()
    apart = np.asarray(mean_a) - np.asarray(mean_b)
    return float(max(0.0, apart @ apart + np.trace(cov_a) + np.trace(cov_b) - 2 * cross))
