# SPDX-License-Identifier: Apache-2.0
"""The square of a photo that a learned generator works on, and the head in it as pictures."""

from __future__ import annotations

import numpy as np

from reenact.head.motion import Motion
from reenact.head.rig import Rig
from reenact.head.state import posed
from reenact.media import SquareCrop
from reenact.rendering import Camera

from ..warp.generator import WarpGenerator
from .controls import NO_SURFACE, HeadPictures

_NEAREST_M = 0.01
_SMALLEST_PX = 16
_MARGIN = 1.2  # side of the square, in extents of the head


def head_pictures(generator: WarpGenerator, state: Motion, camera: Camera) -> HeadPictures:
    """The head in a state as the camera sees it; the camera is a part of the generator's own."""
    maps = generator.maps(state, camera)
    normals, regions, visibility = maps.normals[0].numpy(), maps.regions[0].numpy(), maps.visibility
    assert visibility is not None
    drawn = np.rint(NO_SURFACE + 127.0 * normals).astype(np.uint8)
    return HeadPictures(drawn, regions.astype(np.uint8), np.rint(255.0 * visibility[0].numpy()).astype(np.uint8))


def worked_square(rig: Rig, states: Motion, photo_state: Motion, camera: Camera, size: int) -> SquareCrop:
    """The square of the camera's picture that holds the head in the photo and in all states, resampled to `size`.

    Whole pixels of the camera's picture, inside of it where it can be.
    """
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for state in (photo_state, *states):
        head = posed(rig, rig.neutral[None], state, photo_state)[0]
        px = camera.focal_px * head[:, :2] / np.maximum(head[:, 2:], _NEAREST_M) + (camera.cx, camera.cy)
        px = np.clip(px, 0, camera.width)  # what is out of sight needs no room
        low, high = np.minimum(low, px.min(axis=0)), np.maximum(high, px.max(axis=0))
    side = min(max(round(_MARGIN * float((high - low).max())), _SMALLEST_PX), camera.width)
    corner = np.clip(np.rint((low + high) / 2 - side / 2), 0, camera.width - side).astype(int)
    return SquareCrop(int(corner[0]), int(corner[1]), side, size)
