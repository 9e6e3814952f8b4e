# SPDX-License-Identifier: Apache-2.0
"""Differences between two videos' expressions and poses, in full and without each one's constant offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..about import About, Better, Value, over_frames

Array = NDArray[np.float64]


@dataclass(frozen=True)
class FrameCoefficients:
    """What one picture shows, by some estimator."""

    expression: Array  # [K]
    rotation: Array  # [3, 3] head to camera
    translation: Array  # [3] in face sizes


@dataclass(frozen=True)
class Coefficients:
    """What F frames show; NaN in frames without a face."""

    expression: Array  # [F, K]
    rotation: Array  # [F, 3, 3]
    translation: Array  # [F, 3] face sizes
    gaze: Array | None = None  # [F, 2, 2] radians (yaw, pitch), subject's left eye first

    @staticmethod
    def of(frames: Sequence[FrameCoefficients | None]) -> Coefficients:
        """Stack an estimator's frames.  Of no face at all, every array has NaN and K = 1."""
        known = [f for f in frames if f is not None]
        size = len(known[0].expression) if known else 1
        nothing = FrameCoefficients(np.full(size, np.nan), np.full((3, 3), np.nan), np.full(3, np.nan))
        rows = [nothing if f is None else f for f in frames]
        return Coefficients(
            *(np.stack([getattr(r, n) for r in rows]) for n in ("expression", "rotation", "translation"))
        )


_OWN_MEAN: Final = "each less its own mean over the clip, so that a constant offset between two faces is forgiven"


def compared(
    output: Coefficients,
    driver: Coefficients,
    suffix: str,
    units: str,
    regions: dict[str, NDArray[np.bool_]],
    by: str,
    digest: str | None,
) -> list[Value]:
    """AED, APD and their variants without constant offsets, over the frames in which both have a face.

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
    own = np.abs(centred(a, known) - centred(b, known)).mean(axis=1)
    still = np.abs(centred(b, known)).mean(axis=1)
    out = [
        value("aed{}", error.mean(axis=1), units.format(f"all {a.shape[1]}")),
        value("aed_motion{}", own, f"{units.format(f'all {a.shape[1]}')}, {_OWN_MEAN}", frozen=frozen(still)),
    ]
    for region, mask in regions.items():
        out.append(value(f"aed_{region}{{}}", error[:, mask].mean(axis=1), units.format(f"the {mask.sum()} {region}")))
    angle = geodesic(output.rotation, driver.rotation)
    turned = geodesic(from_middle(output.rotation, known), from_middle(driver.rotation, known))
    still = geodesic(from_middle(driver.rotation, known), np.broadcast_to(np.eye(3), driver.rotation.shape))
    degrees, radians = "degrees between head rotations", "radians between head rotations"
    away = "each from its own mean rotation"
    out += [
        value("apd_rotation_deg{}", np.degrees(angle), degrees),
        value("apd_rotation_rad{}", angle, radians),
        value("apd_rotation_motion_deg{}", np.degrees(turned), f"{degrees}, {away}", frozen=frozen(np.degrees(still))),
    ]
    move_a, move_b = centred(output.translation, known), centred(driver.translation, known)
    what = "face sizes (root mean square radius of its landmarks) between head translations"
    for name, axes, how in (("", 3, ""), ("_sideways", 2, " across the camera's axis: depth is the least certain")):
        distance, still = (np.linalg.norm(d[:, :axes], axis=1) for d in (move_a - move_b, move_b))
        series_name = f"apd_translation{name}{{}}"
        out.append(value(series_name, distance, f"{what}{how}, {_OWN_MEAN}", frozen=frozen(still)))
    if output.gaze is not None and driver.gaze is not None:
        apart = np.degrees(angle_between_gazes(output.gaze, driver.gaze))
        out.append(value("gaze_tracked_deg{}", apart, "degrees between gazes in the head, mean of both eyes"))
    return out


def centred(x: Array, known: NDArray[np.bool_]) -> Array:
    """[F, n] less its mean over the known frames."""
    return np.asarray(x - x[known].mean(axis=0) if known.any() else x)


def geodesic(a: Array, b: Array) -> Array:
    """Angle in radians [F] of the rotation that takes a to b, both [F, 3, 3]; exact for small angles too."""
    chord = np.linalg.norm(a - b, axis=(-2, -1))
    return np.asarray(2 * np.arcsin(np.clip(chord / np.sqrt(8), 0, 1)))


def from_middle(rotation: Array, known: NDArray[np.bool_]) -> Array:
    """Head-to-camera rotations [F, 3, 3] after the inverse of their mean: how the head is turned away from its middle.

    Which way a head calls "ahead" drops out exactly; a turn of the camera only changes the axes it is seen about.
    """
    if not known.any():
        return rotation
    u, _, vt = np.linalg.svd(rotation[known].mean(axis=0))
    mean = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    return np.asarray(rotation @ mean.T)


def angle_between_gazes(a: Array, b: Array) -> Array:
    """Radians [F], mean of both eyes, between gazes [F, 2, 2] (yaw, pitch)."""

    def direction(gaze: Array) -> Array:
        yaw, pitch = gaze[..., 0], gaze[..., 1]
        line = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=-1)
        return line.astype(np.float64)

    chord = np.linalg.norm(direction(a) - direction(b), axis=-1)
    return np.asarray((2 * np.arcsin(np.clip(chord / 2, 0, 1))).mean(axis=-1))
