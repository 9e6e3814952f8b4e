# SPDX-License-Identifier: Apache-2.0
"""Make the pictures of README and docs: ``python -m scripts.make_pictures``.

They show the demo photo (NASA, public domain) and bundled motions; of the driving people only the fitted head is
shown, as the normals of its surface.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final, get_args

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from reenact.generator.warp.generator import WarpGenerator
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.subject import Subject
from reenact.media.files import asset
from reenact.media.image import write_image
from reenact.pipeline import AnimateOptions, bundled_motion, cropped, head_crop
from reenact.rendering import normals_to_picture
from reenact.rendering.head_renderer import HeadRenderer
from reenact.subject.fit_subject import fit_subject
from reenact.tracking import load_motion
from reenact.transfer.motion_modes import Mode
from reenact.transfer.retarget import retarget

_ROOT: Final = Path(__file__).parents[1]
PHOTO: Final = asset("demo/astronaut.jpg")
OUTPUT: Final = _ROOT / "docs" / "pictures"
_SIZE: Final = 384  # px of the head's square
_CELL: Final = 224  # px of a square in a still picture
_EXPRESSIONS: Final = (("smile", 0.6), ("surprise", 0.5), ("laughing", 0.73), ("winks", 0.14))
"""Performances and the moment shown, as a share of their length."""
_STRENGTHS: Final[tuple[dict[str, float], ...]] = ({}, {"mouth": 0.3, "jaw": 0.3}, {"head": 0.0}, {"gaze": 0.0})
_STRENGTHS_OF: Final = ("surprise", 0.7)
_MODES: Final = ("surprise", 0.6)
_ANIMATION: Final = "laughing"
_ANIMATION_S: Final = (0.2, 3.2)  # from and to, seconds of the performance
_ANIMATION_PX: Final = 320  # height
_ANIMATION_FPS: Final = 25
_ANIMATION_QUALITY: Final = 75  # of WebP: at 60 the normals have visible blocks

Image = NDArray[np.uint8]


def main() -> None:
    """Write the animation, the three pictures of the README, and one of each motion mode."""
    OUTPUT.mkdir(exist_ok=True)
    subject = fit_subject(open_head(), [PHOTO])
    square = cropped(subject.require_reference(), head_crop(subject, AnimateOptions(size=_SIZE, crop=True)))
    generator, renderer = WarpGenerator(subject.head, square), HeadRenderer(subject, square)
    photo = square.image.numpy()
    write_animation(OUTPUT / "demo.webp", subject, generator, renderer, photo)
    shown = Motion.joined([state(subject, name, at, "neutral") for name, at in _EXPRESSIONS])
    write(OUTPUT / "expressions.jpg", list(frames(generator, shown)), columns=2)
    write(OUTPUT / "head.jpg", [normals(renderer, at) for at in shown], columns=2)
    weakened = Motion.joined([state(subject, *_STRENGTHS_OF, "neutral", strength) for strength in _STRENGTHS])
    write(OUTPUT / "strengths.jpg", list(frames(generator, weakened)), columns=2)
    for mode in get_args(Mode):
        driving, target = (state(subject, *_MODES, each) for each in ("absolute", mode))
        write(OUTPUT / f"mode-{mode}.jpg", [photo, normals(renderer, driving), *frames(generator, target)], columns=3)


def states(subject: Subject, name: str, mode: Mode, strength: dict[str, float] | None = None) -> Motion:
    """Retarget a bundled motion to the photographed person."""
    path = bundled_motion(name)
    assert path is not None
    return retarget(load_motion(path), subject, mode, strength)


def state(subject: Subject, name: str, at: float, mode: Mode, strength: dict[str, float] | None = None) -> Motion:
    """Retarget one frame, a share of the performance's length."""
    performed = states(subject, name, mode, strength)
    frame = performed[round(at * (len(performed) - 1))]
    return frame.replace(fps=Fraction(_ANIMATION_FPS))  # so that frames of several performances can be joined


def frames(generator: WarpGenerator, motion: Motion) -> Iterator[Image]:
    """Generate the pictures of a motion."""
    return (generator.render(at) for at in motion)


def normals(renderer: HeadRenderer, at: Motion) -> Image:
    """Render the normals of the head in one frame."""
    return normals_to_picture(renderer(at).normals[0])


def write_animation(
    path: Path, subject: Subject, generator: WarpGenerator, renderer: HeadRenderer, photo: Image
) -> None:
    """Write source, driven head and result side by side, moving, as WebP."""
    source = bundled_motion(_ANIMATION)
    assert source is not None
    fps, performed = float(load_motion(source).fps), states(subject, _ANIMATION, "neutral")
    start, end = _ANIMATION_S
    times = np.arange(start, end, 1 / _ANIMATION_FPS)
    chosen = performed[[min(round(time * fps), len(performed) - 1) for time in times]]
    pictures = [
        PillowImage.fromarray(row([photo, normals(renderer, at), frame], _ANIMATION_PX))
        for at, frame in zip(chosen, frames(generator, chosen), strict=True)
    ]
    pictures[0].save(
        path,
        save_all=True,
        append_images=pictures[1:],
        duration=round(1000 / _ANIMATION_FPS),
        loop=0,
        quality=_ANIMATION_QUALITY,
        method=6,
    )


def row(pictures: Sequence[Image], side: int) -> Image:
    """Put square pictures side by side, `side` px high."""
    cells = [cv2.resize(p, (side, side), interpolation=cv2.INTER_AREA) for p in pictures]
    return np.concatenate(cells, axis=1).astype(np.uint8)


def write(path: Path, pictures: Sequence[Image], columns: int) -> None:
    """Write square pictures as a table of so many columns."""
    rows = [row(pictures[start : start + columns], _CELL) for start in range(0, len(pictures), columns)]
    write_image(path, np.ascontiguousarray(np.concatenate(rows)))


if __name__ == "__main__":
    main()
