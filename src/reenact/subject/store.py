# SPDX-License-Identifier: Apache-2.0
"""The ``.head`` file: a `Subject` as one safetensors file with its metadata in JSON; see docs/head-format.md."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from reenact.head.camera import Camera
from reenact.head.head_model import head_model, personalised
from reenact.head.model import ParametricHead
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.state import deformed
from reenact.head.subject import Reference, Subject
from reenact.media import InputError
from reenact.media.tensors import read_tensors, write_tensors
from reenact.tracking import clip_of, load_motion, save_motion, tracked_subject

SUFFIX: Final = ".head"
FORMAT: Final = "reenact-head"
VERSION: Final = 3
TEXTURE_QUALITY: Final = 92
UNITS: Final = {
    "shape": "standard deviations of the head model's identity components",
    "camera": "focal length, principal point x and y, width and height of the first source's pictures, px",
    "placement": "metres from each landmark's place on the mesh to where the detector sees it",
    "static_offset": "metres, canonical head space, added to the head model's own mesh before subdivision",
    "fine_offset": "metres, added after one round of Loop subdivision; two give the detailed mesh",
    "dynamic": "1/127 of dynamic_scale (metres) of each frame, on the vertices dynamic_vertices of the model's mesh",
    "texture": "the bytes of a JPEG file, sRGB, layout of subject/atlas",
    "motion": "the bytes of a .motion.safetensors file (docs/motion-format.md): every frame of the first source",
    "picture_0": "the bytes of a PNG file, sRGB: a reference",
    "picture_motion_0": "the bytes of a .motion.safetensors file of one frame: the head in that picture, its camera",
}
_NEEDED: Final = ("shape", "camera", "placement")
_VERSION_2: Final = ("static_control", "static_fit", "dynamic", "dynamic_scale", "dynamic_vertices", "motion")


def save_head(subject: Subject, path: Path, *, references: bool = True) -> None:
    """Write a subject; beside the target first, renamed when complete.

    references: False leaves the pictures out: the file then holds none of the subject but the texture.
    """
    camera = subject.camera
    tensors = {
        "shape": subject.shape,
        "camera": torch.tensor([camera.focal_px, camera.cx, camera.cy, camera.width, camera.height]),
        "placement": subject.placement,
    }
    if subject.static_offset is not None:
        tensors["static_offset"] = subject.static_offset
    if subject.fine_offset is not None:
        tensors["fine_offset"] = subject.fine_offset.half()
    if subject.texture is not None:
        tensors["texture"] = _tensor_of(packed_texture(subject.texture))
    if subject.motion is not None:
        tensors["motion"] = _tensor_of(_motion_bytes(subject.motion.replace(dynamic_offset=None)))
        if subject.motion.dynamic_offset is not None:
            face = torch.nonzero(subject.levels[0].face > 0.0)[:, 0]
            packed = QuantisedOffsets.of(subject.motion.dynamic_offset, face)
            tensors |= {
                "dynamic": packed.values,
                "dynamic_scale": packed.scale,
                "dynamic_vertices": packed.vertices,
            }
    for number, reference in enumerate(subject.references if references else ()):
        tensors[f"picture_{number}"] = _tensor_of(_packed(reference.image, "PNG"))
        seen = _tracked_reference(subject, reference)
        tensors[f"picture_motion_{number}"] = _tensor_of(_motion_bytes(seen))
    about = {
        "format": FORMAT,
        "version": str(VERSION),
        "head": subject.model.name,
        "units": json.dumps(UNITS),
        "provenance": json.dumps(dict(subject.provenance)),
    }
    write_tensors(path, tensors, about)


def packed_texture(texture: Tensor) -> bytes:
    """[H, W, 3] sRGB as a JPEG file, its colours as fine as its brightness."""
    return _packed(texture, "JPEG", quality=TEXTURE_QUALITY, subsampling=0)


def _tracked_reference(subject: Subject, reference: Reference) -> Motion:
    """The motion of a reference with a clip that says which camera saw it."""
    clip = clip_of([subject.replace(camera=reference.camera)], "a reference", 1)
    return reference.motion.replace(clip=clip, landmark_offset=None, dynamic_offset=None)


def load_head(path: Path, model: ParametricHead | None = None) -> Subject:
    """Read a subject. Files of version 2 are converted.

    model: the head model it was made with, which the file names and does not hold; None: the open head.
    Raises InputError if the file is none, of another version, or does not fit the model.
    """
    model = open_head() if model is None else model
    found, about = read_tensors(path, "head file", "reenact head")
    version, known = about.get("version"), {str(VERSION): _NEEDED, "2": _VERSION_2}
    if about.get("format") != FORMAT or version not in known or about.get("head") != model.name:
        said = f"{about.get('format', 'no format')} version {version or '?'} of {about.get('head', '?')}"
        raise InputError(f"{path} holds {said}; want {FORMAT} version {VERSION} of {model.name}")
    missing = [name for name in known[version] if name not in found]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}; write it again with `reenact head`")
    motion = _motion_of(found["motion"]) if "motion" in found else None
    if version == "2":
        found = {
            {"static_control": "static_offset", "static_fit": "fine_offset"}.get(n, n): x for n, x in found.items()
        }
    _check_shapes(path, model, found, 0 if motion is None else len(motion))
    if version == "2":
        assert motion is not None
        subject = tracked_subject(model, motion)
    else:
        focal, cx, cy, width, height = found["camera"].tolist()
        subject = Subject(model, found["shape"], Camera(focal, cx, cy, int(width), int(height)), found["placement"])
    subject = subject.replace(
        static_offset=found.get("static_offset"),
        fine_offset=found["fine_offset"].float() if "fine_offset" in found else None,
        texture=_unpacked(found["texture"], path) if len(found.get("texture", ())) else None,
        references=_references(path, found),
        motion=motion,
        provenance=json.loads(about.get("provenance", "{}")),
    )
    if motion is None or "dynamic" not in found:
        return subject
    packed = QuantisedOffsets(found["dynamic_vertices"], found["dynamic"], found["dynamic_scale"])
    moved = packed.dense(len(model.base_neutral))
    if version == "2":
        moved = _converted(subject, motion, moved)
    return subject.replace(motion=motion.replace(dynamic_offset=moved))


def _converted(subject: Subject, motion: Motion, moved: Tensor) -> Tensor:
    """Dynamic offsets of version 2: they were added to actions that do not know the static offset."""
    assert subject.static_offset is not None
    plain = deformed(personalised(subject.model, subject.shape), motion) + subject.static_offset
    face = subject.levels[0].face[:, None]
    return face.sign() * (plain + moved - deformed(subject.head, motion))


def _check_shapes(path: Path, model: ParametricHead, found: Mapping[str, Tensor], frames: int) -> None:
    control, fit = (len(level) for level in head_model(model).levels[:2])
    wanted = {
        "shape": (model.identity_size,), "camera": (5,), "placement": (478, 3),
        "static_offset": (control, 3), "fine_offset": (fit, 3),
        "dynamic": (frames, len(found.get("dynamic_vertices", ())), 3), "dynamic_scale": (frames,),
    }  # fmt: skip
    for name, shape in wanted.items():
        if name in found and (found[name].shape != shape or not found[name].float().isfinite().all()):
            got = tuple(found[name].shape)
            raise InputError(f"{path} has {name} of shape {got}; want finite numbers of shape {shape}")


def _references(path: Path, found: Mapping[str, Tensor]) -> tuple[Reference, ...]:
    out = []
    while (name := f"picture_{len(out)}") in found:
        motion = _motion_of(found[f"picture_motion_{len(out)}"])
        clip = motion.require_clip()
        camera = Camera(float(clip.focal_px[0]), clip.width / 2, clip.height / 2, clip.width, clip.height)
        out.append(Reference(_unpacked(found[name], path), motion, camera))
    return tuple(out)


def _motion_bytes(motion: Motion) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "motion.safetensors"
        save_motion(motion, file)
        return file.read_bytes()


def _motion_of(packed: Tensor) -> Motion:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "motion.safetensors"
        file.write_bytes(packed.numpy().tobytes())
        return load_motion(file)


def _tensor_of(content: bytes) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8)


def _packed(image: Tensor, kind: str, **options: int) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(image.numpy()).save(packed, format=kind, **options)
    return packed.getvalue()


def _unpacked(packed: Tensor, path: Path) -> Tensor:
    try:
        picture = Image.open(io.BytesIO(packed.numpy().tobytes())).convert("RGB")
        return torch.from_numpy(np.asarray(picture).copy())
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path} has a damaged picture ({error}); write it again with `reenact head`") from error


@dataclass(frozen=True)
class QuantisedOffsets:
    """F frames of offsets on some control vertices: 1/127 of each frame's largest."""

    vertices: Tensor  # [n] int32, which control vertices
    values: Tensor  # [F, n, 3] int8
    scale: Tensor  # [F] metres of 127

    def dense(self, count: int) -> Tensor:
        """[F, count, 3] metres, 0 on the other vertices."""
        out = torch.zeros(len(self.values), count, 3)
        out[:, self.vertices.long()] = self.values * (self.scale / 127.0)[:, None, None]
        return out

    @staticmethod
    def of(offsets: Tensor, vertices: Tensor) -> QuantisedOffsets:
        """Round [F, V, 3] metres, whose values off `vertices` are lost."""
        chosen = offsets[:, vertices.long()]
        scale = chosen.abs().amax((1, 2)).clamp(min=1e-9)
        return QuantisedOffsets(vertices.int(), (chosen * (127.0 / scale)[:, None, None]).round().to(torch.int8), scale)
