# SPDX-License-Identifier: Apache-2.0
"""Who is seen: CSIM against the photo, leakage of the driver's identity, and drift over the clip.

CSIM alone rewards not moving: the photo itself has 1, real video of the same person less.  Read it beside the motion.
dlib's cosines are high throughout, as its embeddings have a common part: between 45 different people 0.83 in the
median, 0.90 at the 95th percentile.  Its own measure of sameness is the Euclidean distance, with 0.6 as the border (the
same pairs: 0.87, 5th percentile 0.66); it is given too.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..about import About, Value, mean_of
from ..extra import EMBEDDING, dlib_model, required, sha256, version
from ..landmarks68 import Follower, Landmarks68
from ..observe import Image, ObservedFrame
from .base import Absent
from .identity_networks import IdentityNetwork


@cache
def _network() -> Any:
    return required("dlib").face_recognition_model_v1(str(dlib_model(EMBEDDING)))


class DlibIdentity:
    """dlib's ResNet embedding (King 2017; public domain weights): 128 numbers from a 150 px chip aligned by 68 points.

    Raises InputError if the `evaluation` extra is not installed.
    """

    def __init__(self) -> None:
        self._dlib: Any = required("dlib")
        path = dlib_model(EMBEDDING)
        self.name = f"{version('dlib-bin')}, 128-d face embedding"
        self.key = "dlib"
        self.weights_sha256: str | None = sha256(path)
        self._network = _network()

    def __call__(self, image: Image, points_68: NDArray[np.float64]) -> NDArray[np.float64]:
        """Embed the face at points [68, 2] px of a uint8 RGB image [H, W, 3]: [128]."""
        low, high = points_68.min(axis=0), points_68.max(axis=0)
        box = self._dlib.rectangle(*(int(v) for v in (*low, *high)))
        parts = [self._dlib.point(round(float(x)), round(float(y))) for x, y in points_68]
        shape = self._dlib.full_object_detection(box, parts)
        chip = self._dlib.get_face_chip(np.ascontiguousarray(image), shape, 150, 0.25)
        return np.asarray(self._network.compute_face_descriptor(chip), np.float64)


class Identity:
    """CSIM to the photo and to the driver, of every `every`-th output frame and every 4 `every`-th driver frame.

    photo: uint8 RGB [H, W, 3].  window: frames in a window.
    Raises Absent if no face is found in the photo, InputError without the `evaluation` extra.
    """

    def __init__(self, network: IdentityNetwork, photo: Image, window: int, mode: str, every: int = 4) -> None:
        points = Follower(Landmarks68())(photo)
        if points is None:
            raise Absent("dlib finds no face in the photo")
        self._network, self._window, self._every, self._mode = network, window, every, mode
        self._photo = network(photo, points)
        self._output: list[NDArray[np.float64] | None] = []
        self._truth: list[float] = []
        self._driver: list[NDArray[np.float64]] = []

    def update(self, moment: ObservedFrame) -> None:
        seen = moment.output
        look = moment.index % self._every == 0 and seen.points_68 is not None
        self._output.append(self._network(seen.image, seen.points_68) if look and seen.points_68 is not None else None)
        own, true = self._output[-1], moment.truth
        alike = float("nan")
        if own is not None and true is not None and true.points_68 is not None:
            alike = cosine(own, self._network(true.image, true.points_68))
        self._truth.append(alike)
        seen = moment.driver
        if self._mode == "cross" and moment.index % (4 * self._every) == 0 and seen.points_68 is not None:
            self._driver.append(self._network(seen.image, seen.points_68))

    def values(self) -> list[Value]:
        key = self._network.key
        to_photo = self._value(f"csim_{key}", "higher", "to the photo's", self._photo, {})
        distance = [np.nan if e is None else float(np.linalg.norm(e - self._photo)) for e in self._output]
        far = f"Euclidean distance of embeddings to the photo's{'; same person below 0.6' if key == 'dlib' else ''}"
        out = [
            to_photo,
            Value(self._about(f"identity_distance_{key}", "lower", far), mean_of(distance), np.asarray(distance)),
        ]
        windows = [w for w in to_photo.windows or () if np.isfinite(w)]
        drift = windows[-1] - windows[0] if len(windows) > 1 else float("nan")
        units = f"CSIM of the last less that of the first window of {self._window} frames; 0 is no drift"
        out.append(Value(self._about(f"csim_drift_{key}", "higher", units), drift))
        if np.isfinite(self._truth).any():
            units = "-1..1, cosine of embeddings to the true frame's, mean over frames"
            truth = np.asarray(self._truth)
            out.append(Value(self._about(f"csim_truth_{key}", "higher", units), mean_of(truth), truth))
        if self._driver:
            driver = np.mean(self._driver, axis=0)
            beside = {"photo_to_driver": cosine(self._photo, driver)}
            out.append(self._value(f"leakage_{key}", "lower", "to the driver's mean", driver, beside))
        return out

    def absent(self) -> dict[str, str]:
        """Return what has no number here, and why."""
        if self._driver:
            return {}
        same = "in self-reenactment driver and photo are one person"
        return {f"leakage_{self._network.key}": same if self._mode == "self" else "no face in the driver"}

    def _value(self, name: str, better: Any, to: str, of: NDArray[np.float64], beside: dict[str, float]) -> Value:
        series = np.asarray([np.nan if e is None else cosine(e, of) for e in self._output])
        units = f"-1..1, cosine of embeddings {to}, mean over frames; windows of {self._window} frames"
        parts = [series[k : k + self._window] for k in range(0, len(series), self._window)]
        windows = tuple(mean_of(part) for part in parts)
        return Value(self._about(name, better, units), mean_of(series), series, beside, windows)

    def _about(self, name: str, better: Any, units: str) -> About:
        return About(name, None, better, units, self._network.name, self._network.weights_sha256, self._every)


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Cosine of the angle between two vectors [D]."""
    return float(a @ b / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12))
