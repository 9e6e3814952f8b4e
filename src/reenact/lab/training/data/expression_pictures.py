# SPDX-License-Identifier: Apache-2.0
"""Faces of photographs with the blendshape network's scores, for the expression network to learn real pictures from.

A shard is one safetensors file: images uint8 [N, CROP_PX, CROP_PX, 3] and scores float32 [N, 52], as in
expression_portraits.py but cut by the detected landmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from reenact.media import read_image
from reenact.media.arrays import write_arrays
from reenact.perception import detect_faces
from reenact.perception.expression_network import STORED
from reenact.perception.face_crop import face_crop

from .expression_portraits import CROP_PX


def prepare_expression_pictures(
    out: Path, pictures: Sequence[Path], progress: Callable[[str, int, int | None], None]
) -> Path:
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
