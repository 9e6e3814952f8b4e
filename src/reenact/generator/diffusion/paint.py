# SPDX-License-Identifier: Apache-2.0
"""Frames at the photo's own resolution: warp, what the network makes of it, and the photo's fine detail put back.

One square of the photo is worked on for a whole clip, window by window, so that nothing wobbles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from reenact.head.motion import Motion
from reenact.head.regions import EMPTY, EYEBALL, region_ids
from reenact.head.shape import HeadShape
from reenact.head.state import posed
from reenact.head.subject import Reference
from reenact.media import SquareCrop
from reenact.rendering import HeadMaps
from reenact.rendering.head_renderer import HeadRenderer, MapStream

from ..warp.generator import WarpGenerator
from .compact.network import displaced
from .controls import NO_SURFACE, HeadPictures, Painter, controls_of, signed

_EDGE = 0.06  # of the square, over which it fades into what the warp shows around it
_ROUNDED = 1 / 127.5  # a grey level; colours go from -1 to 1
_AGREED = 0.02  # difference of colours, beyond rounding, at which the painted is something else than the warped
_OF_THE_PHOTO = (*region_ids(*EYEBALL), EMPTY)
"""What the warp shows sharply though the head in the photo does not: eyes, which it turns, and all but the head."""
_LEFT_ALONE = region_ids(*EYEBALL, "eyelids", "eyelashes")
"""What the warp draws by itself, for each gaze and lid: paint makes it softer and no truer (docs/generator.md)."""
_RIM = 3  # px of the square by which that is widened, and softened

_NEAREST_M = 0.01
_SMALLEST_PX = 16
_MARGIN = 1.2  # side of the square, in extents of the head

Image = NDArray[np.uint8]


class LearnedGenerator:
    """Frames of one reference, painted by a network over what the warp shows.

    head, reference: see WarpGenerator.
    """

    def __init__(self, head: HeadShape, reference: Reference, painter: Painter) -> None:
        self._warp = WarpGenerator(head, reference)
        self._head, self._reference, self._painter = head, reference, painter

    def frames(self, motion: Motion, maps: MapStream) -> Iterator[Tensor]:
        """[P, P, 3] uint8 each, one by one; no more than a window of them is held.

        Painted is the square that holds the head in the reference and in all frames.
        """
        painter = self._painter
        square = worked_square(self._head, motion, self._reference, painter.size)
        camera = self._reference.camera.cropped(square.x0, square.y0, square.size, square.output_px)
        photo, own = square.extract(self._reference.image.numpy()), self._reference.motion
        still = head_pictures(HeadRenderer(self._head, self._reference)(own, camera))
        warped: dict[int, Image] = {}
        heads: dict[int, HeadPictures] = {}
        last: list[Tensor] = []  # of the window before
        coming = maps(camera)

        def paint(first: int, count: int) -> Tensor:
            numbers = range(first, first + count)
            for gone in [n for n in warped if n < first]:
                del warped[gone], heads[gone]
            for n in numbers:
                if n not in warped:
                    warped[n] = self._warp.render(motion[n])
                    heads[n] = head_pictures(next(coming))
            cut = [square.extract(warped[n]) for n in numbers]
            controls = controls_of(photo, still, cut, [heads[n] for n in numbers])
            before = last.pop() if last and painter.overlap else None
            found = painter.paint(controls, before)
            last[:] = [found.clean[count - painter.overlap :]] if count > painter.overlap else []
            return torch.cat([found.clean, found.way], 1).cpu()

        for n, painted in blended_windows(len(motion), painter.window, painter.overlap, paint):
            yield torch.from_numpy(composed(warped[n], square, painted[:3], painted[3:], heads[n]))


def composed(warped: Image, square: SquareCrop, clean: Tensor, way: Tensor, head: HeadPictures) -> Image:
    """The warped picture [P, P, 3], its square painted.

    clean: [3, S, S] from -1 to 1. way: [2, S, S] px, see Paint. What is finer than S x S pixels comes from the warped
    picture, displaced, where it is the photo's, or where the painted is the same at this size: not where the photo does
    not show the head and something else has been painted. Eyes stay as they are.
    """
    x0, y0, side, size = int(square.x0), int(square.y0), int(square.size), square.output_px
    part = warped[y0 : y0 + side, x0 : x0 + side]
    own = torch.from_numpy(part).permute(2, 0, 1)[None].float() / 127.5 - 1.0
    painted = _resized(clean[None], side)
    if side > size:
        small = F.interpolate(way[None], scale_factor=0.25, mode="area")
        moved = displaced(own[None], small[None])[0]
        real = np.where(np.isin(head.regions, _OF_THE_PHOTO), 255, head.visibility)
        real = torch.from_numpy(real).float()[None, None] / 255.0
        # resampled as the network's pictures are
        coarse = signed(SquareCrop(0, 0, side, size).extract(_bytes(moved[0])))
        apart = F.avg_pool2d((clean - coarse).abs().mean(0)[None, None], 5, 1, 2, count_include_pad=False)
        agreed = torch.exp(-(apart - _ROUNDED).clamp(min=0.0) / _AGREED)
        detail = _resized(torch.maximum(real, agreed), side).clamp(0, 1)
        painted = painted + detail * (moved - _resized(coarse[None], side))
    share = (
        _fading(side, x0 > 0, x0 + side < warped.shape[1]) * _fading(side, y0 > 0, y0 + side < warped.shape[0])[:, None]
    )
    share = share * (1.0 - _resized(_around(np.isin(head.regions, _LEFT_ALONE)), side)[0, 0].clamp(0, 1))
    mixed = torch.lerp(own, painted.clamp(-1.0, 1.0), share)[0]
    out = warped.copy()
    out[y0 : y0 + side, x0 : x0 + side] = _bytes(mixed)
    return out


def _around(mask: NDArray[np.bool_]) -> Tensor:
    """[1, 1, S, S] 1 in a mask [S, S], falling to 0 around it."""
    wide = F.max_pool2d(torch.from_numpy(mask).float()[None, None], _RIM, 1, _RIM // 2)
    return F.avg_pool2d(wide, _RIM, 1, _RIM // 2)


def _bytes(picture: Tensor) -> Image:
    """[3, H, W] from -1 to 1 -> [H, W, 3]"""
    return ((picture.clamp(-1.0, 1.0) + 1.0) * 127.5).round().byte().permute(1, 2, 0).numpy()


def _resized(pictures: Tensor, side: int) -> Tensor:
    """[N, C, side, side]; averages where it shrinks."""
    return F.interpolate(pictures, (side, side), mode="bicubic", align_corners=False, antialias=True)


def _fading(side: int, low: bool, high: bool) -> Tensor:
    """[side] 1, falling to 0 at those ends that lie inside of the picture."""
    at = (torch.arange(side) + 0.5) / side
    share = torch.ones(side)
    if low:
        share = share * (at / _EDGE).clamp(max=1.0)
    if high:
        share = share * ((1.0 - at) / _EDGE).clamp(max=1.0)
    return share


def blended_windows(
    count: int, window: int, overlap: int, paint: Callable[[int, int], Tensor]
) -> Iterator[tuple[int, Tensor]]:
    """Numbers and pictures of `count` frames; where two windows overlap, the one gives way to the other.

    paint: of a first frame and a number of frames, which gives [number, ...]. No more than one window is held.
    Raises ValueError if windows do not advance.
    """
    if not 0 <= overlap <= window // 2:
        raise ValueError(f"windows of {window} frames cannot overlap by {overlap}; want 0 to {window // 2}")
    kept: Tensor | None = None  # the end of the window before
    first = 0
    while first < count:
        number = min(window, count - first)
        found = paint(first, number)
        if kept is not None:
            shared = len(kept)
            share = (torch.arange(1, shared + 1, device=found.device) / (shared + 1)).to(found.dtype)
            share = share.view(-1, *[1] * (found.dim() - 1))
            found[:shared] = torch.lerp(kept, found[:shared], share)
        is_last = first + number >= count
        ready = number if is_last else number - overlap
        for i in range(ready):
            yield first + i, found[i]
        if is_last:
            return
        kept = found[ready:].clone() if overlap else None
        first += ready


def head_pictures(maps: HeadMaps) -> HeadPictures:
    """Maps of one frame as bytes."""
    normals, regions, visibility = maps.normals[0].numpy(), maps.regions[0].numpy(), maps.visibility
    if visibility is None:
        raise ValueError("the maps have no visibility; want maps of a head with a reference")
    drawn = np.rint(NO_SURFACE + 127.0 * normals).astype(np.uint8)
    return HeadPictures(drawn, regions.astype(np.uint8), np.rint(255.0 * visibility[0].numpy()).astype(np.uint8))


def worked_square(head: HeadShape, motion: Motion, reference: Reference, size: int) -> SquareCrop:
    """The square of a reference that holds the head there and in all frames of a motion, resampled to `size`.

    Whole pixels of the reference, inside of it where it can be.
    """
    camera = reference.camera
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for state in (reference.motion, *motion):
        place = posed(head, head.neutral[None], state, reference.motion)[0].numpy()
        px = camera.focal_px * place[:, :2] / np.maximum(place[:, 2:], _NEAREST_M) + (camera.cx, camera.cy)
        px = np.clip(px, 0, camera.width)  # what is out of sight needs no room
        low, high = np.minimum(low, px.min(axis=0)), np.maximum(high, px.max(axis=0))
    side = min(max(round(_MARGIN * float((high - low).max())), _SMALLEST_PX), camera.width)
    corner = np.clip(np.rint((low + high) / 2 - side / 2), 0, camera.width - side).astype(int)
    return SquareCrop(int(corner[0]), int(corner[1]), side, size)
