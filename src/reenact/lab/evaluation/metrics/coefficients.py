# SPDX-License-Identifier: Apache-2.0
"""AED and APD: how far expression and pose of the output are from the driver's, by one estimator on both.

The default estimator is this project's tracker, which also makes its outputs: it is consistent, not independent.
Bring another one (`CoefficientEstimator`) to compare with published numbers, and read what the independent detector
says (motion.py).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from reenact.head.arkit import REGIONS, region_mask
from reenact.head.landmarks import LANDMARKS
from reenact.head.model import ParametricHead
from reenact.head.state import codes_of
from reenact.rendering.threads import one_torch_thread
from reenact.tracking import fit_frames, fit_identity

from ..about import Value
from ..extra import tracker
from ..observe import Image, Observed
from ..rows import Rows
from .coefficient_errors import Coefficients, FrameCoefficients, compared


class CoefficientEstimator(Protocol):
    """Somebody else's estimator (EMOCA, Deep3DFaceRecon...), one picture at a time."""

    @property
    def key(self) -> str: ...  # suffix of the values' names
    @property
    def name(self) -> str: ...  # with version
    @property
    def units(self) -> str: ...  # of its expression coefficients
    @property
    def weights_sha256(self) -> str | None: ...

    def __call__(self, image: Image) -> FrameCoefficients | None:
        """uint8 RGB [H, W, 3] to coefficients; None without a face."""
        ...


class TrackerCoefficients:
    """AED and APD by this project's tracker: one person and camera a video, fitted to all of its landmarks at the end.

    Keeps 478 points a frame and video (8 kB).
    """

    def __init__(self, model: ParametricHead) -> None:
        self._model = model
        self._points = (Rows(478, 2), Rows(478, 2))
        self._sizes: list[tuple[int, int]] = []

    def update(self, moment: Observed) -> None:
        for kept, seen in zip(self._points, (moment.output, moment.real), strict=True):
            kept.append(seen.points)
        self._sizes = [moment.output.shape, moment.real.shape]

    def values(self) -> list[Value]:
        output, driver = (
            _known(self._model, points.stack().astype(np.float32).tobytes(), shape[1], shape[0])
            for points, shape in zip(self._points, self._sizes, strict=True)
        )
        name, digest = tracker()
        units = "mean absolute difference of {} ARKit activations (0 none, 1 full; the tracker never uses some)"
        regions = {region: region_mask(region) for region in REGIONS}
        return compared(output, driver, "", units, regions, name, digest)


class EstimatorCoefficients:
    """AED and APD by somebody else's estimator."""

    def __init__(self, estimator: CoefficientEstimator) -> None:
        self._estimator = estimator
        self._found: tuple[list[FrameCoefficients | None], list[FrameCoefficients | None]] = ([], [])

    def update(self, moment: Observed) -> None:
        for found, seen in zip(self._found, (moment.output, moment.real), strict=True):
            found.append(self._estimator(seen.image))

    def values(self) -> list[Value]:
        output, driver = (Coefficients.of(found) for found in self._found)
        it = self._estimator
        units = f"mean absolute difference of {{}} coefficients ({it.units})"
        return compared(output, driver, f"_{it.key}", units, {}, it.name, it.weights_sha256)


@lru_cache(maxsize=32)
def _known(model: ParametricHead, points_px: bytes, width: int, height: int) -> Coefficients:
    """`tracked` of float32 points. One driver is compared with many outputs, and is fitted once for them."""
    return tracked(model, np.frombuffer(points_px, np.float32).reshape(-1, LANDMARKS, 2), width, height)


def tracked(model: ParametricHead, points_px: NDArray[np.floating], width: int, height: int) -> Coefficients:
    """Fit one person and all frames [F, 478, 2] px of a video of width x height px; NaN frames stay NaN."""
    seen = np.isfinite(points_px).all(axis=(1, 2))
    frames = len(points_px)
    shapes = {"expression": (52,), "rotation": (3, 3), "translation": (3,), "gaze": (2, 2)}
    out = {name: np.full((frames, *shape), np.nan) for name, shape in shapes.items()}
    if seen.any():
        points = points_px[seen].astype(np.float32)
        with one_torch_thread():
            subject = fit_identity(model, points, width, height)
            fitted = fit_frames(subject, points, np.diff(np.flatnonzero(seen)) == 1)
        for name, rows in out.items():
            rows[seen] = getattr(fitted, name).numpy()
        out["translation"] /= subject.face_size_m
        out["expression"][seen] = codes_of(subject.head, fitted).numpy()  # the fit has the eyes' codes as angles
    return Coefficients(out["expression"], out["rotation"], out["translation"], out["gaze"])
