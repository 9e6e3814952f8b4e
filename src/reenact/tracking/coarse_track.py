# SPDX-License-Identifier: Apache-2.0
"""What tracking leaves behind: who was seen, by which camera, doing what; and its ``.motion.safetensors`` file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reenact.head.arkit import ACTIONS
from reenact.media import InputError
from reenact.media.arrays import read_arrays, write_arrays

from .scheme import COUNT

Float = NDArray[np.float32]
FORMAT = "reenact-motion"
VERSION = 1
UNITS = {
    "expression": "ARKit activation, 0 none, 1 full; order in `actions`",
    "gaze": "radians (yaw, pitch) per eye, subject's left first; yaw > 0 to the subject's left, pitch > 0 up",
    "R_cam_head": "rotation, X_cam = R X_head + t; camera x right, y down, z away; head x left, y up, z front",
    "t_cam_head": "metres",
    "focal_px": "pixels of the source picture, principal point in its middle",
    "face_size_m": "metres, root mean square radius of the face's landmarks",
    "residual_px": "pixels of the source picture, median over the landmarks, each shifted by `placement`; NaN "
    "where no face was seen",
    "identity": "standard deviations of the head model's identity components",
    "placement": "metres from the place of each of the 478 landmarks on the mesh to where the detector sees it on this "
    "person, along the skin",
}


@dataclass(frozen=True)
class CoarseTrack:
    """F frames in S shots.  Every shot has one identity and one camera."""

    fps: Fraction
    width: int
    height: int
    head: str  # name of the head model the identity belongs to
    expression: Float  # [F, 52]
    gaze: Float  # [F, 2, 2] radians
    R_cam_head: Float  # [F, 3, 3]
    t_cam_head: Float  # [F, 3] metres
    residual_px: Float  # [F]
    seen: NDArray[np.bool_]  # [F] False where the pose was held or interpolated
    shot: NDArray[np.int32]  # [F] shot of each frame, from 0, never falling
    frame: NDArray[np.int32]  # [F] number of the frame in the source; rising, with gaps where frames were skipped
    identity: Float  # [S, K]
    focal_px: Float  # [S]
    face_size_m: Float  # [S]
    placement: Float  # [S, 478, 3] metres, see placement.py
    source: str  # where it was tracked from, for the reader
    dynamic: Float | None = None
    """[F, 478, 3] metres in head space: how far each landmark is from where the actions put it, apart from what is the
    same in all frames (the paper's dynamic offsets, sparse); see tracking/dynamic.py. None: nobody looked."""

    def __len__(self) -> int:
        return len(self.expression)

    def select(self, rows: NDArray[np.bool_]) -> CoarseTrack:
        """Only the frames marked in [F]; `frame` remembers which they were."""
        dynamic = None if self.dynamic is None else self.dynamic[rows]
        return replace(self, **{name: getattr(self, name)[rows] for name in _BY_FRAME}, dynamic=dynamic)


_BY_FRAME = ("expression", "gaze", "R_cam_head", "t_cam_head", "residual_px", "seen", "shot", "frame")
_TENSORS = (
    "expression",
    "gaze",
    "R_cam_head",
    "t_cam_head",
    "residual_px",
    "identity",
    "focal_px",
    "face_size_m",
    "placement",
)


def save_motion(track: CoarseTrack, path: Path) -> None:
    """Write a track; beside the target first, renamed when complete."""
    tensors: dict[str, NDArray[Any]] = {name: np.asarray(getattr(track, name), np.float32) for name in _TENSORS}
    if track.dynamic is not None:
        tensors["dynamic"] = track.dynamic.astype(np.float16)
    tensors["seen"] = track.seen.astype(np.uint8)
    tensors["shot"] = track.shot.astype(np.int32)
    tensors["frame"] = track.frame.astype(np.int32)
    about = {
        "format": FORMAT,
        "version": str(VERSION),
        "fps": f"{track.fps.numerator}/{track.fps.denominator}",
        "width": str(track.width),
        "height": str(track.height),
        "head": track.head,
        "source": track.source,
        "actions": json.dumps(ACTIONS),
        "units": json.dumps(UNITS),
    }
    write_arrays(path, tensors, about)


def load_motion(path: Path) -> CoarseTrack:
    """Read a track.  Raises InputError if the file is none, or of another version."""
    tensors, about = read_arrays(path, "motion file", "reenact track")
    if about.get("format") != FORMAT or about.get("version") != str(VERSION):
        found = f"{about.get('format', 'no format')} version {about.get('version', '?')}"
        raise InputError(f"{path} holds {found}; want {FORMAT} version {VERSION}, as `reenact track` writes it")
    if "identity" in tensors:  # files of before placements were kept
        tensors.setdefault("placement", np.zeros((len(tensors["identity"]), COUNT, 3), np.float32))
    _check(path, tensors, about)
    return CoarseTrack(
        fps=Fraction(about["fps"]),
        width=int(about["width"]),
        height=int(about["height"]),
        head=about["head"],
        **{name: tensors[name] for name in _TENSORS},
        seen=tensors["seen"].astype(bool),
        shot=tensors["shot"],
        frame=tensors["frame"],
        source=about["source"],
        dynamic=tensors["dynamic"].astype(np.float32) if "dynamic" in tensors else None,
    )


def _check(path: Path, tensors: dict[str, NDArray], about: dict[str, str]) -> None:
    missing = [n for n in (*_TENSORS, "seen", "shot", "frame") if n not in tensors]
    missing += [n for n in ("fps", "width", "height", "head", "source") if n not in about]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}; write it again with `reenact track`")
    frames, shots = len(tensors["expression"]), len(tensors["identity"])
    wanted = {
        "expression": (frames, len(ACTIONS)), "gaze": (frames, 2, 2), "R_cam_head": (frames, 3, 3),
        "t_cam_head": (frames, 3), "residual_px": (frames,), "seen": (frames,), "shot": (frames,), "frame": (frames,),
        "focal_px": (shots,), "face_size_m": (shots,), "placement": (shots, COUNT, 3),
    }  # fmt: skip
    if "dynamic" in tensors:
        wanted["dynamic"] = (frames, COUNT, 3)
    for name, shape in wanted.items():
        if tensors[name].shape != shape:
            raise InputError(f"{path} has {name} of shape {tensors[name].shape}; want {shape}")
    shot = tensors["shot"]
    if not frames or shot.min() < 0 or shot.max() >= shots or (np.diff(shot) < 0).any():
        raise InputError(f"{path} has {frames} frames in {shots} shots that do not fit together; want at least one")
    for name in ("expression", "gaze", "R_cam_head", "t_cam_head", "dynamic"):
        if name in tensors and not np.isfinite(tensors[name]).all():
            raise InputError(f"{path} has numbers in {name} that are not finite; write it again with `reenact track`")
