# SPDX-License-Identifier: Apache-2.0
"""The ``.motion.safetensors`` file of a tracked motion; see docs/motion-format.md."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from reenact.head.arkit import ACTIONS
from reenact.head.motion import LANDMARKS, Clip, Motion
from reenact.media import InputError
from reenact.media.tensors import read_tensors, write_tensors

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
_NAMES = {
    "expression": "expression",
    "gaze": "gaze",
    "rotation": "R_cam_head",
    "translation": "t_cam_head",
}
"""Field of a `Motion` -> its name in the file. Those of a `Clip` have the same name in both."""
_CLIP = ("residual_px", "identity", "focal_px", "face_size_m", "placement")
_TYPES = {"seen": torch.uint8, "shot": torch.int32, "frame": torch.int32}


def save_motion(motion: Motion, path: Path) -> None:
    """Write a motion that was tracked; beside the target first, renamed when complete.

    Raises ValueError if it has no clip.
    """
    clip = motion.require_clip()
    tensors: dict[str, Tensor] = {name: getattr(motion, field) for field, name in _NAMES.items()}
    tensors |= {name: getattr(clip, name) for name in _CLIP}
    if motion.landmark_offset is not None:
        tensors["landmark_offset"] = motion.landmark_offset.half()
    tensors |= {name: getattr(clip, name).to(kind) for name, kind in _TYPES.items()}
    about = {
        "format": FORMAT,
        "version": str(VERSION),
        "fps": f"{motion.fps.numerator}/{motion.fps.denominator}",
        "width": str(clip.width),
        "height": str(clip.height),
        "head": clip.head,
        "source": clip.source,
        "actions": json.dumps(ACTIONS),
        "units": json.dumps(UNITS),
    }
    write_tensors(path, tensors, about)


def load_motion(path: Path) -> Motion:
    """Read a motion and its clip.  Raises InputError if the file is none, or of another version."""
    tensors, about = read_tensors(path, "motion file", "reenact track")
    if about.get("format") != FORMAT or about.get("version") != str(VERSION):
        found = f"{about.get('format', 'no format')} version {about.get('version', '?')}"
        raise InputError(f"{path} holds {found}; want {FORMAT} version {VERSION}, as `reenact track` writes it")
    if "dynamic" in tensors:  # its former name
        tensors["landmark_offset"] = tensors.pop("dynamic")
    if "identity" in tensors:  # files of before placements were kept
        tensors.setdefault("placement", torch.zeros(len(tensors["identity"]), LANDMARKS, 3))
    _check(path, tensors, about)
    clip = Clip(
        source=about["source"],
        width=int(about["width"]),
        height=int(about["height"]),
        head=about["head"],
        frame=tensors["frame"].int(),
        shot=tensors["shot"].int(),
        seen=tensors["seen"].bool(),
        **{name: tensors[name].float() for name in _CLIP},
    )
    return Motion(
        **{field: tensors[name] for field, name in _NAMES.items()},
        landmark_offset=tensors.get("landmark_offset"),
        fps=Fraction(about["fps"]),
        clip=clip,
    )


def _check(path: Path, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
    missing = [n for n in (*_NAMES.values(), *_CLIP, *_TYPES) if n not in tensors]
    missing += [n for n in ("fps", "width", "height", "head", "source") if n not in about]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}; write it again with `reenact track`")
    frames, shots = len(tensors["expression"]), len(tensors["identity"])
    wanted = {
        "expression": (frames, len(ACTIONS)), "gaze": (frames, 2, 2), "R_cam_head": (frames, 3, 3),
        "t_cam_head": (frames, 3), "residual_px": (frames,), "seen": (frames,), "shot": (frames,), "frame": (frames,),
        "identity": (shots, tensors["identity"].shape[-1]), "focal_px": (shots,), "face_size_m": (shots,),
        "placement": (shots, LANDMARKS, 3),
    }  # fmt: skip
    if "landmark_offset" in tensors:
        wanted["landmark_offset"] = (frames, LANDMARKS, 3)
    for name, shape in wanted.items():
        found = tuple(tensors[name].shape)
        if found != shape:
            raise InputError(f"{path} has {name} of shape {found}; want {shape}")
    shot = tensors["shot"]
    if not frames or shot.min() < 0 or shot.max() >= shots or (torch.diff(shot) < 0).any():
        raise InputError(f"{path} has {frames} frames in {shots} shots that do not fit together; want at least one")
    for name in ("expression", "gaze", "R_cam_head", "t_cam_head", "landmark_offset"):
        if name in tensors and not tensors[name].isfinite().all():
            raise InputError(f"{path} has numbers in {name} that are not finite; write it again with `reenact track`")
