# SPDX-License-Identifier: Apache-2.0
"""AED and APD: how far expression and pose of the output are from the driver's, by one estimator on both.

The default estimator is this project's tracker, which also makes its outputs: it is consistent, not independent.
Bring another one (`CoefficientEstimator`) to compare with published numbers, and read what the independent detector
says (motion.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from reenact.head.arkit import REGIONS, region_mask
from reenact.head.landmarks import LANDMARKS
from reenact.head.model import ParametricHead
from reenact.head.state import codes_of
from reenact.rendering.threads import one_torch_thread
from reenact.tracking import fit_frames, fit_identity

from ..about import About, Better, Value, over_frames
from ..extra import tracker
from ..observe import Image, ObservedFrame
from .base import Rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Coefficients:
    """Expression and pose in one image, or in F frames; NaN in frames without a face."""

    expression: Array  # [K] or [F, K]
    rotation: Array  # [3, 3] or [F, 3, 3] head to camera
    translation: Array  # [3] or [F, 3] face sizes
    gaze: Array | None = None  # [2, 2] or [F, 2, 2] radians (yaw, pitch), subject's left eye first

    @staticmethod
    def stacked(frames: Sequence[Coefficients | None]) -> Coefficients:
        """Stack an estimator's images to F frames, None a frame without a face. Of no face at all, K = 1."""
        faces = [f for f in frames if f is not None]
        size = len(faces[0].expression) if faces else 1
        empty = Coefficients(np.full(size, np.nan), np.full((3, 3), np.nan), np.full(3, np.nan))
        rows = [empty if f is None else f for f in frames]
        return Coefficients(
            *(np.stack([getattr(r, n) for r in rows]) for n in ("expression", "rotation", "translation"))
        )


_CENTRED: Final = "each less its own mean over the clip, so that a constant offset between two faces is forgiven"


def compared(
    output: Coefficients,
    driver: Coefficients,
    suffix: str,
    units: str,
    regions: dict[str, NDArray[np.bool_]],
    by: str,
    digest: str | None,
) -> list[Value]:
    """Compute AED, APD and their variants without constant offsets, over the frames in which both have a face.

    units: of AED, with {} for which coefficients.  `beside` the latter, "frozen" is what a still picture would get.
    """
    known = np.asarray(np.isfinite(output.expression).all(axis=1) & np.isfinite(driver.expression).all(axis=1))

    def value(name: str, series: Array, what: str, better: Better = "lower", **beside: float) -> Value:
        about = About(name.format(suffix), None, better, f"{what}, mean over frames", by, digest)
        return over_frames(about, np.where(known, series, np.nan), **beside)

    def frozen(moved: Array) -> float:
        return float(moved[known].mean()) if known.any() else float("nan")

    a, b = output.expression, driver.expression
    error = np.abs(a - b)
    own = np.abs(_centred(a, known) - _centred(b, known)).mean(axis=1)
    still = np.abs(_centred(b, known)).mean(axis=1)
    out = [
        value("aed{}", error.mean(axis=1), units.format(f"all {a.shape[1]}")),
        value("aed_motion{}", own, f"{units.format(f'all {a.shape[1]}')}, {_CENTRED}", frozen=frozen(still)),
    ]
    for region, mask in regions.items():
        out.append(value(f"aed_{region}{{}}", error[:, mask].mean(axis=1), units.format(f"the {mask.sum()} {region}")))
    angle = geodesic(output.rotation, driver.rotation)
    turned = geodesic(_from_middle(output.rotation, known), _from_middle(driver.rotation, known))
    still = geodesic(_from_middle(driver.rotation, known), np.broadcast_to(np.eye(3), driver.rotation.shape))
    degrees, radians = "degrees between head rotations", "radians between head rotations"
    away = "each from its own mean rotation"
    out += [
        value("apd_rotation_deg{}", np.degrees(angle), degrees),
        value("apd_rotation_rad{}", angle, radians),
        value("apd_rotation_motion_deg{}", np.degrees(turned), f"{degrees}, {away}", frozen=frozen(np.degrees(still))),
    ]
    move_a, move_b = _centred(output.translation, known), _centred(driver.translation, known)
    what = "face sizes (root mean square radius of its landmarks) between head translations"
    for name, axes, how in (("", 3, ""), ("_sideways", 2, " across the camera's axis: depth is the least certain")):
        distance, still = (np.linalg.norm(d[:, :axes], axis=1) for d in (move_a - move_b, move_b))
        series_name = f"apd_translation{name}{{}}"
        out.append(value(series_name, distance, f"{what}{how}, {_CENTRED}", frozen=frozen(still)))
    if output.gaze is not None and driver.gaze is not None:
        apart = np.degrees(_angle_between_gazes(output.gaze, driver.gaze))
        out.append(value("gaze_tracked_deg{}", apart, "degrees between gazes in the head, mean of both eyes"))
    return out


def _centred(x: Array, known: NDArray[np.bool_]) -> Array:
    """Subtract its mean over the known frames from [F, n]."""
    return np.asarray(x - x[known].mean(axis=0) if known.any() else x)


def geodesic(a: Array, b: Array) -> Array:
    """Return the angle [F], radians, of the rotation from a to b, both [F, 3, 3]; exact for small angles too."""
    chord = np.linalg.norm(a - b, axis=(-2, -1))
    return np.asarray(2 * np.arcsin(np.clip(chord / np.sqrt(8), 0, 1)))


def _from_middle(rotation: Array, known: NDArray[np.bool_]) -> Array:
    """Undo the mean of head-to-camera rotations [F, 3, 3]: how the head is turned away from its middle.

    Which way a head calls "ahead" drops out exactly; a turn of the camera only changes the axes of the rotation.
    """
    if not known.any():
        return rotation
    u, _, vt = np.linalg.svd(rotation[known].mean(axis=0))
    mean = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    return np.asarray(rotation @ mean.T)


def _angle_between_gazes(a: Array, b: Array) -> Array:
    """Return the angle [F], radians, between gazes [F, 2, 2] (yaw, pitch); the mean of both eyes."""

    def direction(gaze: Array) -> Array:
        yaw, pitch = gaze[..., 0], gaze[..., 1]
        line = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=-1)
        return line.astype(np.float64)

    chord = np.linalg.norm(direction(a) - direction(b), axis=-1)
    return np.asarray((2 * np.arcsin(np.clip(chord / 2, 0, 1))).mean(axis=-1))


class CoefficientEstimator(Protocol):
    """An estimator that the user supplies (EMOCA, Deep3DFaceRecon...), one image at a time."""

    @property
    def key(self) -> str: ...  # suffix of the values' names
    @property
    def name(self) -> str: ...  # with version
    @property
    def units(self) -> str: ...  # of its expression coefficients
    @property
    def weights_sha256(self) -> str | None: ...

    def __call__(self, image: Image) -> Coefficients | None:
        """Estimate the coefficients of one uint8 RGB image [H, W, 3]; None without a face."""
        ...


class TrackerCoefficients:
    """AED and APD by this project's tracker: one person and camera a video, fitted to all of its landmarks at the end.

    Keeps 478 points a frame and video (8 kB).
    """

    def __init__(self, model: ParametricHead) -> None:
        self._model = model
        self._points = (Rows(478, 2), Rows(478, 2))
        self._sizes: list[tuple[int, int]] = []

    def update(self, moment: ObservedFrame) -> None:
        for rows, face in zip(self._points, (moment.output, moment.real), strict=True):
            rows.append(face.points)
        self._sizes = [moment.output.shape, moment.real.shape]

    def values(self) -> list[Value]:
        output, driver = (
            _tracked(self._model, points.stack().astype(np.float32).tobytes(), shape[1], shape[0])
            for points, shape in zip(self._points, self._sizes, strict=True)
        )
        name, digest = tracker()
        units = "mean absolute difference of {} ARKit activations (0 none, 1 full; the tracker never uses some)"
        regions = {region: region_mask(region) for region in REGIONS}
        return compared(output, driver, "", units, regions, name, digest)


class EstimatorCoefficients:
    """AED and APD by an estimator that the user supplies."""

    def __init__(self, estimator: CoefficientEstimator) -> None:
        self._estimator = estimator
        self._frames: tuple[list[Coefficients | None], list[Coefficients | None]] = ([], [])

    def update(self, moment: ObservedFrame) -> None:
        for frames, face in zip(self._frames, (moment.output, moment.real), strict=True):
            frames.append(self._estimator(face.image))

    def values(self) -> list[Value]:
        output, driver = (Coefficients.stacked(frames) for frames in self._frames)
        it = self._estimator
        units = f"mean absolute difference of {{}} coefficients ({it.units})"
        return compared(output, driver, f"_{it.key}", units, {}, it.name, it.weights_sha256)


@lru_cache(maxsize=32)
def _tracked(model: ParametricHead, points_px: bytes, width: int, height: int) -> Coefficients:
    """Call `tracked` on float32 points. One driver is compared with many outputs, and is fitted once for them."""
    return tracked(model, np.frombuffer(points_px, np.float32).reshape(-1, LANDMARKS, 2), width, height)


def tracked(model: ParametricHead, points_px: NDArray[np.floating], width: int, height: int) -> Coefficients:
    """Fit one person and all frames [F, 478, 2] px of a video of width x height px; NaN frames stay NaN."""
    detected = np.isfinite(points_px).all(axis=(1, 2))
    frames = len(points_px)
    shapes = {"expression": (52,), "rotation": (3, 3), "translation": (3,), "gaze": (2, 2)}
    out = {name: np.full((frames, *shape), np.nan) for name, shape in shapes.items()}
    if detected.any():
        points = points_px[detected].astype(np.float32)
        with one_torch_thread():
            subject = fit_identity(model, points, width, height)
            fitted = fit_frames(subject, points, np.diff(np.flatnonzero(detected)) == 1)
        for name, rows in out.items():
            rows[detected] = getattr(fitted, name).numpy()
        out["translation"] /= subject.face_size_m
        out["expression"][detected] = codes_of(subject.head, fitted).numpy()  # the fit has the eyes' codes as angles
    return Coefficients(out["expression"], out["rotation"], out["translation"], out["gaze"])
