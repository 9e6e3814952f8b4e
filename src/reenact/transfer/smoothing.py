# SPDX-License-Identifier: Apache-2.0
"""Jitter taken out of a performance: without delay for a clip that is all there, with a known one for a live stream."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from reenact.media.errors import InputError
from reenact.tracking.coarse_track import CoarseTrack

from .edit import shots
from .head_motion import nearest_rotation
from .timing import turned

MAX_SECONDS = 10.0
_FWHM_IN_SIGMAS = 2.0 * np.sqrt(2.0 * np.log(2.0))


def smooth(track: CoarseTrack, seconds: float) -> CoarseTrack:
    """Average over time with a Gaussian that is `seconds` wide at half its height: nothing lags, nothing leads.

    Each shot by itself: at its ends the first and last frame count as if they went on. Rotations are averaged as
    rotations (the chordal mean: the rotation nearest the weighted sum). What is shorter than `seconds` shrinks: at
    0.08 s a blink of 0.2 s keeps most of its depth, at 0.3 s little more than half. 0 changes nothing.
    Raises InputError unless 0 <= seconds <= 10.
    """
    _check(seconds)
    sigma = seconds * float(track.fps) / _FWHM_IN_SIGMAS
    if sigma == 0:
        return track
    out = _copy(track)
    for rows in shots(track):
        for new, old in _streams(out, track):
            new[rows] = gaussian_filter1d(old[rows].astype(np.float64), sigma, axis=0, mode="nearest")
        summed = gaussian_filter1d(track.R_cam_head[rows].astype(np.float64), sigma, axis=0, mode="nearest")
        out.R_cam_head[rows] = nearest_rotation(summed)
    return out


def smooth_causal(track: CoarseTrack, seconds: float) -> CoarseTrack:
    """Exponential smoothing that looks only at the past, as a live stream must; it lags, by what it smooths.

    Each frame goes the share 1 - exp(-1 / (fps seconds)) of the way from the frame before to the new value, rotations
    along the geodesic. A steady movement arrives later by 1 / (fps (exp(1 / (fps seconds)) - 1)) seconds, which is
    `seconds` less about half a frame; a sudden one has arrived to 63 % after `seconds` and to 95 % after three times as
    long; a blink is shallower and late. Each shot starts afresh at its first frame. 0 changes nothing.
    Raises InputError unless 0 <= seconds <= 10.
    """
    _check(seconds)
    if seconds == 0:
        return track
    share = 1.0 - np.exp(-1.0 / (float(track.fps) * seconds))
    out = _copy(track)
    for rows in shots(track):
        # Run in double precision: a share of a small difference is lost in single.
        for new, old in _streams(out, track):
            state = old[rows.start].astype(np.float64)
            for row in range(rows.start + 1, rows.stop):
                state = state + share * (old[row] - state)
                new[row] = state
        rotation = track.R_cam_head[rows.start].astype(np.float64)
        for row in range(rows.start + 1, rows.stop):
            rotation = turned(rotation[None], track.R_cam_head[row][None], share)[0]
            out.R_cam_head[row] = rotation
    return out


def _check(seconds: float) -> None:
    if not 0 <= seconds <= MAX_SECONDS:
        raise InputError(f"smoothing over {seconds:g} seconds was asked for; want 0 to {MAX_SECONDS:g}")


def _copy(track: CoarseTrack) -> CoarseTrack:
    names = ("expression", "gaze", "t_cam_head", "R_cam_head", *(["dynamic"] if track.dynamic is not None else []))
    return replace(track, **{name: getattr(track, name).copy() for name in names})


def _streams(new: CoarseTrack, old: CoarseTrack) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """What is averaged number by number, to write to and to read from."""
    streams = [(new.expression, old.expression), (new.gaze, old.gaze), (new.t_cam_head, old.t_cam_head)]
    if new.dynamic is not None and old.dynamic is not None:
        streams.append((new.dynamic, old.dynamic))
    return streams
