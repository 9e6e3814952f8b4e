# SPDX-License-Identifier: Apache-2.0
"""Draw the pictures of README and docs: ``python -m scripts.make_pictures``.

They show the demo photo (NASA, public domain) and bundled performances; of performers only the fitted head is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from reenact.generator.warp.generator import WarpGenerator
from reenact.head.open import open_head
from reenact.head.state import HeadState
from reenact.media.image import write_image
from reenact.pipeline import AnimateOptions, Portrait, bundled_performance, make_warp, read_portrait
from reenact.rendering import normals_to_picture
from reenact.tracking import load_motion
from reenact.transfer.motion_modes import Mode
from reenact.transfer.retarget import retarget

_ROOT: Final = Path(__file__).parents[1]
PHOTO: Final = _ROOT / "src" / "reenact" / "assets" / "demo" / "astronaut.jpg"
OUTPUT: Final = _ROOT / "docs" / "pictures"
_SIZE: Final = 384  # px of the head's square
_CELL: Final = 224
_DEMO: Final = (("smile", 0.6), ("surprise", 0.5), ("pout", 0.55), ("laughing", 0.5), ("frown", 0.5))
"""Performances and the moment shown, as a share of their length."""
_MODES: Final = ("surprise", 0.6)

Image = NDArray[np.uint8]


def main() -> None:
    """Write the strip of the demo and one of each motion mode."""
    OUTPUT.mkdir(exist_ok=True)
    portrait = read_portrait(open_head(), PHOTO, AnimateOptions(size=_SIZE, crop=True))
    generator, photo = make_warp(portrait), portrait.crop.extract(portrait.image)
    shown = [photo, *(picture(portrait, generator, name, at, "neutral") for name, at in _DEMO)]
    write(OUTPUT / "demo.jpg", shown)
    name, at = _MODES
    for mode in get_args(Mode):
        write(
            OUTPUT / f"mode-{mode}.jpg",
            [photo, head(portrait, generator, name, at), picture(portrait, generator, name, at, mode)],
        )


def state(portrait: Portrait, name: str, at: float, mode: Mode) -> HeadState:
    """What a bundled performance makes the photographed head do at a moment, a share of its length."""
    path = bundled_performance(name)
    assert path is not None
    track = load_motion(path)
    return retarget(open_head(), track, portrait.receiver, mode, {})[round(at * (len(track) - 1))]


def picture(portrait: Portrait, generator: WarpGenerator, name: str, at: float, mode: Mode) -> Image:
    """Paint that moment."""
    return next(iter(generator.frames([state(portrait, name, at, mode)])))


def head(portrait: Portrait, generator: WarpGenerator, name: str, at: float) -> Image:
    """Draw the normals of the head that drives it."""
    return normals_to_picture(generator.maps(state(portrait, name, at, "absolute")).normals[0])


def write(path: Path, pictures: list[Image]) -> None:
    """Put pictures side by side and write them."""
    cells = [cv2.resize(p, (_CELL, _CELL), interpolation=cv2.INTER_AREA) for p in pictures]
    write_image(path, np.ascontiguousarray(np.concatenate(cells, axis=1)))


if __name__ == "__main__":
    main()
