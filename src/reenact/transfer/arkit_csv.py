# SPDX-License-Identifier: Apache-2.0
"""Motions as csv files of the layout that the app Live Link Face records, in and out; see docs/edit.md.

A row a frame: timecode, 52 ARKit curves in the app's own order, and yaw, pitch and roll of the head and of each eye, in
radians. What the columns mean was read off public recordings where they show it, and assumed where they do not:
docs/edit.md says which. The file says nothing of who performed, of the camera, or of where the head is.
"""

from __future__ import annotations

import csv
import warnings
from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from reenact.head import arkit
from reenact.head.gaze import LOOK_ACTIONS, gaze_of, with_gaze
from reenact.head.landmarks import LANDMARKS
from reenact.head.model import ParametricHead
from reenact.head.motion import Motion
from reenact.head.subject import Subject
from reenact.media.errors import InputError
from reenact.media.files import written_beside
from reenact.rendering import Camera
from reenact.tracking.fit import clip_of

from .csv_rows import ACTION_OF, ANGLES, HEADER, Rows, frame_times, read_rows, timecode_text
from .timing import sampled

SUFFIX = ".csv"
LOOK_RADIANS = torch.tensor([0.603, 0.603, 0.445, 0.612]).repeat(2, 1)
"""[2, 4] radians an eye has turned where EyeLookIn, Out, Up, Down is 1: the app's curves against its own angles."""
_UPRIGHT = np.diag([1.0, -1.0, -1.0])  # camera axes (y down, z away) to the head's own (y up, z out of the face)
_HEAD_SIGN = np.asarray([1.0, -1.0, 1.0])  # yaw, pitch, roll of the csv about y, x, z
_LEFT, _RIGHT = slice(6, 9), slice(3, 6)  # the subject's left eye is in the columns RightEye, see docs/edit.md


def read_arkit_csv(
    path: Path, model: ParametricHead, *, fps: Fraction | None = None, flipped: Collection[str] = ()
) -> Motion:
    """A recording as the motion of the mean head of `model`, in front of a camera of this module's choice.

    fps: frames per second of the result; None: as the timecodes tell. flipped: columns of `ANGLES` whose sign is
    turned round. Frames that the recording lacks or in which it shows no face are interpolated and not `seen`; a gap of
    more than a second begins a new shot. Gaze comes from the eyes' angles, or where all of those are 0 or missing from
    the EyeLook curves. Curves are kept within [0, `action_bounds()`].

    Raises InputError, with one sentence that names file, line and column, for a file that cannot be used.
    """
    rows = read_rows(path)
    times, rate = frame_times(rows.codes)
    back = next((i for i in range(1, len(times)) if times[i] < times[i - 1]), None)
    if back is not None:
        raise InputError(
            f"{path} line {rows.lines[back]} has a timecode before that of the line above; want frames in order"
        )
    at, kept = np.unique(np.asarray([round(time) for time in times], np.int64), return_index=True)
    part = np.concatenate([[0], np.cumsum(np.diff(at) > rate)]).astype(np.int64)
    seen = rows.seen[kept]
    used, shot = np.unique(part[seen], return_inverse=True)
    raw = _motion(path, model, rows, kept[seen], shot.astype(np.int32), rate if fps is None else fps, flipped)
    frames, moments = [], []
    known, number = at[seen], np.arange(int(seen.sum()))
    for one in used:
        here = part[seen] == one
        frames.append(np.arange(at[part == one][0], at[part == one][-1] + 1))
        moments.append(np.interp(frames[-1], known[here], number[here]))
    frame = np.concatenate(frames)
    present = np.isin(frame, known)
    motion = sampled(raw, np.concatenate(moments))
    clip = replace(
        motion.require_clip(),
        frame=torch.from_numpy(frame.astype(np.int32)),
        seen=torch.from_numpy(present),
        residual_px=torch.from_numpy(np.where(present, 0.0, np.nan).astype(np.float32)),
    )
    return motion.replace(clip=clip)


def write_arkit_csv(motion: Motion, path: Path, *, flipped: Collection[str] = ()) -> None:
    """Write a motion; beside the target first, renamed when complete.

    `read_arkit_csv` gives codes, gaze and head rotation back to 1e-4. Where the head is, who performed, cuts and
    skipped frames are lost; eyeLook actions are those of the gaze. A rate that is not whole is rounded up in the
    timecodes.
    """
    codes = with_gaze(motion.expression.numpy(), motion.gaze.numpy(), LOOK_RADIANS)
    looks = [column for eye in LOOK_ACTIONS for column in eye]
    codes[:, looks] = np.minimum(codes[:, looks], 1.0)
    angles = _angles_of(motion) * _signs(flipped)
    with written_beside(path) as partial, partial.open("w", encoding="ascii", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for row in range(len(motion)):
            numbers = [*codes[row, list(ACTION_OF)].tolist(), *angles[row].tolist()]
            cells = [f"{number + 0.0:.10f}" for number in numbers]  # + 0.0: no minus before a 0
            writer.writerow([timecode_text(row, motion.fps), str(len(cells)), *cells])


def _motion(
    path: Path,
    model: ParametricHead,
    rows: Rows,
    kept: NDArray[np.int64],
    shot: NDArray[np.int32],
    fps: Fraction,
    flipped: Collection[str],
) -> Motion:
    """The rows numbered `kept` [F], each of which shows a face, in shots [F]."""
    angles = rows.angles[kept] * _signs(flipped)
    codes = np.clip(rows.curves[kept], 0.0, arkit.action_bounds()).astype(np.float32)
    turn = Rotation.from_euler("YXZ", angles[:, :3] * _HEAD_SIGN).as_matrix()
    count, shots = len(kept), int(shot[-1]) + 1
    # A camera of this module's choice: a square picture, the point between the eyes in its middle, 0.6 m away.
    camera = Camera(1000.0, 256.0, 256.0, 512, 512)
    someone = Subject(model, torch.zeros(model.identity_size), camera, torch.zeros(LANDMARKS, 3))
    return Motion(
        codes,
        _gaze(angles, codes),
        _UPRIGHT @ turn,
        np.tile([0.0, 0.0, 0.6], (count, 1)),
        fps=fps,
        clip=clip_of([someone] * shots, path.name, count, shot=shot),
    )


def _gaze(angles: NDArray[np.float64], codes: NDArray[np.float32]) -> NDArray[np.float32]:
    """[F, 9] and [F, 52] -> [F, 2, 2] radians."""
    if not angles[:, 3:].any():
        return gaze_of(codes, LOOK_RADIANS)
    eyes = np.stack([angles[:, _LEFT], angles[:, _RIGHT]], axis=1)
    return -eyes[:, :, :2].astype(np.float32)


def _angles_of(motion: Motion) -> NDArray[np.float64]:
    """[F, 9] in the order of `ANGLES`."""
    angles = np.zeros((len(motion), len(ANGLES)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a head that looks straight up has no yaw apart from its roll: any split does
        turn = Rotation.from_matrix(_UPRIGHT @ motion.rotation.double().numpy())
        angles[:, :3] = turn.as_euler("YXZ") * _HEAD_SIGN
    for eye, columns in enumerate((_LEFT, _RIGHT)):
        angles[:, columns][:, :2] = -motion.gaze[:, eye].numpy()
    return angles


def _signs(flipped: Collection[str]) -> NDArray[np.float64]:
    """[9] -1 for the columns named in `flipped`. Raises InputError for a name that is none of `ANGLES`."""
    unknown = [name for name in flipped if name not in ANGLES]
    if unknown:
        raise InputError(f"there is no angle {unknown[0]} in a csv file; want some of {', '.join(ANGLES)}")
    return np.asarray([-1.0 if name in flipped else 1.0 for name in ANGLES])
