# SPDX-License-Identifier: Apache-2.0
"""Photographs of faces, as they are and moved by the warp, for the expression network to learn on real skin.

A shard of photographs as they are is one safetensors file: images uint8 [N, CROP_PX, CROP_PX, 3] and scores float32
[N, 52], as in expression_portraits.py but cut by the detected landmarks.

A synthetic face has exact codes and drawn skin. A photograph has real skin and unknown codes; moved from what was
fitted to it to other codes, it shows those codes as our rig means them. It shows no folds that the photograph has not.

A shard of these is one safetensors file: images, expression, gaze, rotation, scores and error as in
expression_portraits.py, and

    base  float32 [N, 52]  what was fitted to the photograph, gaze apart: what the warp had to take away
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from reenact.generator.warp.generator import WarpGenerator
from reenact.head.arkit import ACTIONS
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.lab.synthetic.noise import rng
from reenact.lab.workers import Arrays, prepare_shards
from reenact.media import InputError, read_image
from reenact.media.arrays import write_arrays
from reenact.media.progress import Progress
from reenact.perception import detect_faces
from reenact.perception.expression_network import STORED
from reenact.perception.face_crop import face_crop
from reenact.perception.landmark_network import LandmarkNetwork
from reenact.pipeline import AnimateOptions, cropped, head_crop
from reenact.subject.fit_subject import fit_subject
from reenact.tracking.face_model import canonical_landmarks, landmark_model

from .expression_portraits import CROP_PX, random_expression, scored, seen_rotation

_PHOTOGRAPHS: Final = 40  # a shard


def prepare_expression_moved(
    out: Path, photographs: Sequence[Path], each: int, progress: Progress, jobs: int = 1
) -> list[Path]:
    """Move each photograph `each` times and return the shards; those that exist are kept.

    A photograph in which no face is found is left out; a shard of none is not written.
    """
    numbered = list(enumerate(photographs))
    starts = range(0, len(photographs), _PHOTOGRAPHS)
    shards = {out / f"moved-{i:05d}x{each}.safetensors": numbered[i : i + _PHOTOGRAPHS] for i in starts}
    return prepare_shards(partial(_moved, each), shards, jobs, "moving photographs", progress)


def _moved(each: int, photographs: Sequence[tuple[int, Path]]) -> Iterator[Arrays]:
    with closing(LandmarkNetwork(None, video=False)) as network:
        for number, photograph in photographs:
            with suppress(InputError):
                yield _moved_faces(photograph, 9_000_000 + number, each, network)


def _moved_faces(photograph: Path, seed: int, each: int, network: LandmarkNetwork) -> Arrays:
    """Move one photograph `each` times and return the rows of a shard.

    Raises:
        InputError: it cannot be read, or shows no face.
    """
    subject = fit_subject(open_head(), [photograph])
    crop = head_crop(subject, AnimateOptions(size=224, crop=True))  # px: about a stored crop's scale
    reference = cropped(subject.require_reference(), crop)
    rest, camera = reference.motion, reference.camera
    draw = rng(seed, "moved")
    states = Motion.joined([_state(rest, seed, i, draw) for i in range(each)])
    points, _ = canonical_landmarks(landmark_model(subject.head), states.expression, states.gaze)
    images, rotations, detections = [], [], []
    frames = (frame.numpy() for frame in WarpGenerator(subject.head, reference).frames(states))
    for state, image, canonical in zip(states, frames, points.numpy(), strict=True):
        posed = canonical @ state.rotation[0].numpy().T + state.translation[0].numpy()
        px = camera.focal_px * posed[:, :2] / posed[:, 2:] + (camera.cx, camera.cy)
        images.append(face_crop(image, px, CROP_PX, STORED))
        rotations.append(seen_rotation(state, px))
        detections.append(scored(network, image, px))
    base = rest.expression[0].numpy().copy()
    base[[a.startswith("eyeLook") for a in ACTIONS]] = 0.0
    return {
        "images": np.stack(images),
        "expression": states.expression.numpy(),
        "gaze": states.gaze.numpy(),
        "rotation": np.stack(rotations),
        "scores": np.stack([scores for scores, _ in detections]),
        "error": np.asarray([error for _, error in detections], np.float32),
        "base": np.repeat(base[None], each, axis=0),
    }


def _state(rest: Motion, seed: int, picture: int, draw: np.random.Generator) -> Motion:
    turn = Rotation.from_rotvec(draw.normal(0.0, (0.10, 0.12, 0.05))).as_matrix()  # rad
    gaze = np.clip(np.repeat(draw.normal(0.0, (0.18, 0.1))[None], 2, axis=0), -0.5, 0.5).astype(np.float32)
    return Motion(random_expression(seed, picture), gaze, turn @ rest.rotation[0].numpy(), rest.translation[0])


def prepare_expression_pictures(out: Path, pictures: Sequence[Path], progress: Progress) -> Path:
    """Crop the largest face of each picture into the shard `out`, unless it exists; pictures without one are left out.

    Raises:
        InputError: a picture that cannot be read.
        ValueError: no face in any picture.
    """
    if out.exists():
        return out
    images, scores = [], []
    for done, path in enumerate(pictures, start=1):
        image = np.asarray(read_image(path), np.uint8)
        faces = detect_faces(image)
        if faces:
            images.append(face_crop(image, faces[0].points, CROP_PX, STORED))
            scores.append(faces[0].blendshapes)
        progress("cropping", done, len(pictures))
    if not images:
        raise ValueError(f"found no face in {len(pictures)} pictures; want at least one")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_arrays(out, {"images": np.stack(images), "scores": np.stack(scores)})
    return out
