# SPDX-License-Identifier: Apache-2.0
"""The ``.head`` file: one safetensors file with its metadata in JSON; see docs/head-format.md."""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reenact.head.levels import detailed_levels, open_levels
from reenact.head.model import ParametricHead
from reenact.head.open import open_head
from reenact.media import InputError
from reenact.media.arrays import read_arrays, write_arrays
from reenact.tracking import load_motion, save_motion

from .personal_head import PersonalHead, QuantisedOffsets

SUFFIX: Final = ".head"
FORMAT: Final = "reenact-head"
VERSION: Final = 2
TEXTURE_QUALITY: Final = 92
UNITS: Final = {
    "static_control": "metres, canonical head space, added to the head model's own mesh before subdivision",
    "static_fit": "metres, added after one round of Loop subdivision; two give the detailed mesh",
    "dynamic": "1/127 of dynamic_scale (metres) of each frame, on the control vertices dynamic_vertices",
    "texture": "the bytes of a JPEG or PNG file, sRGB, layout of subject/atlas; no bytes: no texture",
    "motion": "the bytes of a .motion.safetensors file (docs/motion-format.md): identity, camera, and every frame",
}


def save_head(head: PersonalHead, path: Path, provenance: dict[str, Any]) -> None:
    """Write a head; beside the target first, renamed when complete. provenance: plain types."""
    with tempfile.TemporaryDirectory() as folder:
        motion = Path(folder) / "motion.safetensors"
        save_motion(head.track, motion)
        bytes_ = np.frombuffer(motion.read_bytes(), np.uint8)
    tensors: dict[str, NDArray[Any]] = {
        "static_control": head.static_control.astype(np.float32),
        "static_fit": head.static_fit.astype(np.float16),
        "dynamic": head.dynamic.values,
        "dynamic_scale": head.dynamic.scale.astype(np.float32),
        "dynamic_vertices": head.dynamic.vertices.astype(np.int32),
        "texture": np.frombuffer(b"" if head.texture is None else packed_texture(head.texture), np.uint8),
        "motion": bytes_,
    }
    about = {
        "format": FORMAT,
        "version": str(VERSION),
        "head": head.track.require_clip().head,
        "units": json.dumps(UNITS),
        "provenance": json.dumps(provenance),
    }
    write_arrays(path, tensors, about)


def packed_texture(texture: NDArray[np.uint8]) -> bytes:
    """[H, W, 3] sRGB as a JPEG file, its colours as fine as its brightness."""
    packed = io.BytesIO()
    Image.fromarray(texture).save(packed, format="JPEG", quality=TEXTURE_QUALITY, subsampling=0)
    return packed.getvalue()


def _unpacked_texture(packed: NDArray[np.uint8], path: Path) -> NDArray[np.uint8] | None:
    if not len(packed):
        return None
    try:
        return np.asarray(Image.open(io.BytesIO(packed.tobytes())).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} has a damaged texture ({error}); write it again with `reenact head`") from error


def load_head(path: Path, model: ParametricHead | None = None) -> tuple[PersonalHead, dict[str, Any]]:
    """A head and its provenance. Raises InputError if the file is none, of another version, or does not fit.

    model: the head model it was made with, which the file names and does not hold; None: the open head.
    """
    name = open_head().name if model is None else model.name
    found, about = read_arrays(path, "head file", "reenact head")
    if about.get("format") != FORMAT or about.get("version") != str(VERSION) or about.get("head") != name:
        said = f"{about.get('format', 'no format')} version {about.get('version', '?')} of {about.get('head', '?')}"
        raise InputError(f"{path} holds {said}; want {FORMAT} version {VERSION} of {name}")
    missing = [n for n in (*UNITS, "dynamic_scale", "dynamic_vertices") if n not in found]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}; write it again with `reenact head`")
    with tempfile.TemporaryDirectory() as folder:
        motion = Path(folder) / "motion.safetensors"
        motion.write_bytes(found["motion"].tobytes())
        track = load_motion(motion)
    dynamic = QuantisedOffsets(found["dynamic_vertices"], found["dynamic"], found["dynamic_scale"])
    levels = open_levels() if model is None else detailed_levels(model.topology)
    control, fit = (len(level) for level in levels[:2])
    wanted = {
        "static_control": (control, 3), "static_fit": (fit, 3),
        "dynamic": (len(track), len(dynamic.vertices), 3), "dynamic_scale": (len(track),),
    }  # fmt: skip
    for name, shape in wanted.items():
        if found[name].shape != shape or not np.isfinite(found[name].astype(np.float32)).all():
            raise InputError(f"{path} has {name} of shape {found[name].shape}; want finite numbers of shape {shape}")
    static = found["static_control"].astype(np.float32), found["static_fit"].astype(np.float32)
    texture = _unpacked_texture(found["texture"], path)
    return PersonalHead(track, static[0], static[1], dynamic, texture), json.loads(about.get("provenance", "{}"))
