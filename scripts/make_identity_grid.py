# SPDX-License-Identifier: Apache-2.0
"""Make the grid of README.md that shows identity and expression apart.

    python -m scripts.make_identity_grid --shared ../shared

Each row is a personal head, fitted to a photo of somebody who does not exist; each column is one expression, with the
dynamic offsets of the head's own face. Shown are normals.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
import tyro

from reenact.head.arkit import ACTIONS, index
from reenact.head.camera import Camera
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.subject import Subject
from reenact.media.image import write_image
from reenact.perception.dense.maps import BASE_FACE_M
from reenact.rendering import normals_to_picture
from reenact.rendering.head_renderer import render
from reenact.subject.fit_subject import fit_subject
from reenact.transfer.dynamic_offsets import with_own_offsets

OUTPUT: Final = Path(__file__).parents[1] / "docs" / "pictures" / "identities.jpg"
EXPRESSIONS: Final[dict[str, dict[str, float]]] = {
    "neutral": {},
    "smile": {"mouthSmile": 0.9, "cheekSquint": 0.6, "eyeSquint": 0.3},
    "laugh": {"mouthSmile": 1.0, "cheekSquint": 0.8, "jawOpen": 0.45, "mouthUpperUp": 0.5, "eyeSquint": 0.5},
    "anger": {"browDown": 1.0, "noseSneer": 0.7, "mouthPress": 0.7, "eyeSquint": 0.4},
    "disgust": {"noseSneer": 1.0, "mouthUpperUp": 0.7, "browDown": 0.5, "mouthFrown": 0.4},
    "sadness": {"browInnerUp": 1.0, "mouthFrown": 0.9, "mouthShrugLower": 0.5},
    "surprise": {"browInnerUp": 0.9, "browOuterUp": 1.0, "eyeWide": 0.9, "jawOpen": 0.6},
    "pucker": {"mouthPucker": 1.0, "mouthFunnel": 0.3},
    "puffed cheeks": {"cheekPuff": 1.0, "mouthClose": 0.1, "mouthPress": 0.4},
    "wink": {"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.7, "mouthSmileLeft": 0.6},
}
"""Activations by action; an action without a side acts on both."""


@dataclass(frozen=True)
class Arguments:
    """Fit ten people and write the grid."""

    shared: Path = Path("../shared")
    """Folder with data/more/portraits."""
    photos: tuple[str, ...] = (
        "sfhq_0391", "sfhq_0003", "sfhq_0245", "sfhq_0141", "sfhq_0114", "sfhq_0006", "sfhq_0299", "sfhq_0010",
        "sfhq_0220", "sfhq_0358",
    )  # fmt: skip
    """Portraits, without suffix."""
    cell: int = 120
    """Side of a picture, px."""
    output: Path = OUTPUT
    """The file to write."""


def expressions() -> Motion:
    """Return one frame of each expression, of a head that looks into the camera from 70 cm away."""
    codes = torch.zeros(len(EXPRESSIONS), len(ACTIONS))
    for row, actions in enumerate(EXPRESSIONS.values()):
        for name, value in actions.items():
            for side in ("", "Left", "Right"):
                if name + side in ACTIONS:
                    codes[row, index(name + side)] = value
    count = len(codes)
    ahead = torch.diag(torch.tensor([1.0, -1.0, -1.0])).expand(count, 3, 3)
    return Motion(codes, torch.zeros(count, 2, 2), ahead, torch.tensor([0.0, 0.0, 0.7]).expand(count, 3))


def row(subject: Subject, cell: int) -> np.ndarray:
    """Render [cell, 10 cell, 3] uint8: a subject in every expression."""
    target = Motion.joined([with_own_offsets(subject, one) for one in expressions()])
    target = target.replace(translation=target.translation * (subject.face_size_m / BASE_FACE_M))
    side = 4 * cell  # resampled, so that edges are smooth
    camera = Camera(2.55 * side, side / 2, 0.48 * side, side, side)
    normals = render(subject.replace(references=()), target, camera).normals
    small = [cv2.resize(normals_to_picture(n), (cell, cell), interpolation=cv2.INTER_AREA) for n in normals]
    return np.concatenate(small, axis=1)


def main(arguments: Arguments) -> None:
    """Write the grid."""
    folder = arguments.shared / "data" / "more" / "portraits"
    rows = []
    for name in arguments.photos:
        subject = fit_subject(open_head(), [next(folder.glob(f"{name}.*"))], detail="personal")
        rows.append(row(subject, arguments.cell))
        print(f"fitted {name}", flush=True)
    write_image(arguments.output, np.concatenate(rows))


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
