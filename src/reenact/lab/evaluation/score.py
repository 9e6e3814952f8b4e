# SPDX-License-Identifier: Apache-2.0
"""All metrics of one clip in one pass."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from reenact.head.open import open_head
from reenact.media import InputError

from .about import Value
from .metrics.base import Absent, Metric
from .metrics.coefficients import CoefficientEstimator, EstimatorCoefficients, TrackerCoefficients
from .metrics.flip import Flip
from .metrics.frechet import Frechet, NetworkFeatures
from .metrics.gaze import Gaze
from .metrics.identity import DlibIdentity, Identity
from .metrics.identity_networks import IdentityNetwork
from .metrics.image import ImageErrors
from .metrics.landmark_error import LandmarkError
from .metrics.motion import Motion, Movement
from .metrics.perceptual import Lpips
from .metrics.stability import FlowWarp, Jitter
from .observe import Counts, Image, Observation, ObservedFrame

Mode = Literal["self", "cross"]


@dataclass(frozen=True)
class Extras:
    """What a user may bring, and how often the slowest metric looks."""

    identity: tuple[IdentityNetwork, ...] = ()
    coefficients: tuple[CoefficientEstimator, ...] = ()
    clip_features: NetworkFeatures | None = None
    flip_every: int = 4


@dataclass(frozen=True)
class ClipScores:
    """Every number of one clip, by `About.key`, and what it was measured on."""

    mode: Mode
    values: dict[str, Value]
    absent: dict[str, str]
    """Metrics without a number, and why."""
    counts: Counts
    seconds: dict[str, float]
    """Time each metric took, reading and landmarks ("observe") included; never part of a comparison."""
    clip_features: tuple[np.ndarray, np.ndarray] | None = field(default=None, repr=False)
    """[N, D] of output and real windows, to be pooled over clips: see metrics/frechet.py."""

    def mean(self, key: str) -> float:
        """Return a value's mean; NaN where it was not observable. Raises KeyError with the reason if it is absent."""
        if key not in self.values:
            why = next((reason for name, reason in self.absent.items() if key.startswith(name)), "no such number")
            raise KeyError(f"{key}: {why}")
        return self.values[key].mean

    def to_json(self) -> dict[str, Any]:
        """Plain types for json.dumps(..., allow_nan=False); NaN is null."""
        return {
            "mode": self.mode,
            "measured_on": {**asdict(self.counts), "notes": self.counts.notes()},
            "values": {key: value.to_json() for key, value in self.values.items()},
            "absent": self.absent,
            "seconds": {name: round(s, 3) for name, s in self.seconds.items()},
        }


def score_clip(
    output: Path, driver: Path, photo: Image, truth: Path | None, mode: Mode, extras: Extras | None = None
) -> ClipScores:
    """Score an output video.

    driver: whose motion was to be followed.  photo: uint8 RGB [H, W, 3] of the person to be shown.  truth: what a
    perfect output would look like, pixel by pixel; in self-reenactment usually the driver itself, in
    cross-reenactment None but for synthetic people.
    Raises InputError if a file cannot be used, rates differ, no frame can be compared, mode and truth contradict each
    other, or the `evaluation` extra is missing.
    """
    if mode not in ("self", "cross"):
        raise InputError(f"mode is {mode!r}; want self or cross")
    if truth is None and mode == "self":
        raise InputError("self-reenactment has a truth, but none was given")
    observation = Observation(output, driver, truth)
    window = max(1, round(float(observation.fps)))
    scores = score_moments(
        observation, photo, mode, window, observation.counts, extras or Extras(), has_truth=truth is not None
    )
    if observation.counts.frames_compared == 0:
        raise InputError(f"{output} and {driver} have no frame to compare; want whole videos")
    return scores


def score_moments(
    moments: Iterable[ObservedFrame],
    photo: Image,
    mode: Mode,
    window: int,
    counts: Counts,
    extras: Extras,
    *,
    has_truth: bool,
) -> ClipScores:
    """Run every metric over moments that come from anywhere; window: frames over which identity is averaged."""
    seconds: dict[str, float] = defaultdict(float)
    absent: dict[str, str] = {}
    metrics: dict[str, Metric] = {}
    for name, make in _makers(photo, mode, window, extras, has_truth).items():
        try:
            metrics[name] = make()
        except Absent as reason:
            absent[name] = str(reason)
    if not has_truth:
        why = "in cross-reenactment of real people there is no truth"
        absent |= dict.fromkeys(("l1", "psnr", "ssim", "flip", "lpips", "landmark_error", "csim_truth"), why)
    if extras.clip_features is None:
        absent["frechet_clip"] = "no clip network was given"
    started = time.perf_counter()
    compared = False
    for moment in moments:
        compared = True
        started = _lap(seconds, "observe", started)
        _ = moment.masks
        started = _lap(seconds, "masks", started)
        for name, metric in metrics.items():
            metric.update(moment)
            started = _lap(seconds, name, started)
    _lap(seconds, "observe", started)
    values: dict[str, Value] = {}
    for name, metric in metrics.items():
        started = time.perf_counter()
        found = metric.values() if compared else []
        _lap(seconds, name, started)
        values |= {value.about.key: value for value in found}
        if isinstance(metric, Identity):
            absent |= metric.absent()
    features = metrics.get("frechet_clip")
    pooled = None
    if isinstance(features, Frechet) and features.features[0]:
        pooled = np.stack(features.features[0]), np.stack(features.features[1])
    return ClipScores(mode, values, absent, counts, dict(seconds), pooled)


def _makers(photo: Image, mode: Mode, window: int, extras: Extras, has_truth: bool) -> dict[str, Callable[[], Metric]]:
    makers: dict[str, Callable[[], Metric]] = {}
    if has_truth:
        makers |= {
            "image": ImageErrors,
            "flip": lambda: Flip(extras.flip_every),
            "lpips": Lpips,
            "landmark_error": LandmarkError,
        }
    makers["csim_dlib"] = lambda: Identity(DlibIdentity(), photo, window, mode)
    for network in extras.identity:
        makers[f"csim_{network.key}"] = lambda n=network: Identity(n, photo, window, mode)
    makers["coefficients"] = lambda: TrackerCoefficients(open_head())
    for estimator in extras.coefficients:
        makers[f"coefficients_{estimator.key}"] = lambda e=estimator: EstimatorCoefficients(e)
    makers |= {"motion": Motion, "gaze": Gaze, "movement": Movement, "jitter": Jitter, "flow_warp": FlowWarp}
    if (clip := extras.clip_features) is not None:
        makers["frechet_clip"] = lambda: Frechet(clip)
    return makers


def _lap(seconds: dict[str, float], name: str, started: float) -> float:
    now = time.perf_counter()
    seconds[name] += now - started
    return now
