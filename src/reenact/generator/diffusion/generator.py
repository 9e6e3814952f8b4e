# SPDX-License-Identifier: Apache-2.0
"""Learned generators at the reference's own resolution: the warp, the prediction, and the warp's fine detail over it.

One square of the reference is used for a whole clip, window by window, so that nothing jitters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from reenact.head.motion import Motion
from reenact.head.regions import EMPTY, EYEBALL, region_ids
from reenact.head.shape import HeadShape
from reenact.head.state import posed
from reenact.head.subject import Reference, Subject
from reenact.media import SquareCrop
from reenact.rendering import HeadMaps
from reenact.rendering.head_renderer import HeadRenderer, MapStream

from ..warp.generator import WarpGenerator
from .compact.network import displace
from .controls import NO_SURFACE, Controls, HeadImages, Predictor, colours_to_float

_EDGE = 0.06  # chosen; share of the square's side over which it fades into the warp around it


class LearnedGenerator:
    """Frames of one reference: a network's prediction composited over the warp.

    Args:
        subject: the person.
        reference: a square image of them, P x P px.
        predictor: the network.

    Raises:
        ValueError: see WarpGenerator.
    """

    def __init__(self, subject: Subject, reference: Reference, predictor: Predictor) -> None:
        self._warp = WarpGenerator(subject.head, reference)
        self._subject, self._reference, self._predictor = subject, reference, predictor

    def frames(self, motion: Motion, maps: MapStream) -> Iterator[Tensor]:
        """Stream the frames [P, P, 3] uint8 of a motion; no more than a window of them is held.

        The prediction covers the square that holds the head in the reference and in all frames.
        """
        predictor = self._predictor
        square = head_square(self._subject.head, motion, self._reference, predictor.size)
        camera = self._reference.camera.cropped(square.x0, square.y0, square.size, square.output_px)
        reference = _extract(square, self._reference.image)
        reference_head = head_images(HeadRenderer(self._subject, self._reference)(self._reference.motion, camera))
        warped: dict[int, Tensor] = {}
        heads: dict[int, HeadImages] = {}
        last: list[Tensor] = []  # frames of the window before that this one begins with
        rendered = maps(camera)

        def predict(first: int, count: int) -> Tensor:
            numbers = range(first, first + count)
            for old in [n for n in warped if n < first]:
                del warped[old], heads[old]
            for n in numbers:
                if n not in warped:
                    warped[n] = torch.from_numpy(self._warp.render(motion[n]))
                    heads[n] = head_images(next(rendered))
            window = [_extract(square, warped[n]) for n in numbers]
            controls = Controls.from_images(reference, reference_head, window, [heads[n] for n in numbers])
            previous = last.pop() if last and predictor.overlap else None
            prediction = predictor.predict(controls, previous)
            last[:] = [prediction.clean[count - predictor.overlap :]] if count > predictor.overlap else []
            return torch.cat([prediction.clean, prediction.displacement], 1).cpu()

        for n, prediction in blend_windows(len(motion), predictor.window, predictor.overlap, predict):
            yield composite(warped[n], square, prediction[:3], prediction[3:], heads[n])


def composite(warped: Tensor, square: SquareCrop, clean: Tensor, displacement: Tensor, head: HeadImages) -> Tensor:
    """Composite a prediction over the warped reference.

    Detail finer than S x S px comes from the warped reference, displaced as predicted, where that shows the reference's
    own surface, or where it agrees with the prediction at S x S px. Eyes, lids and lashes stay as the warp renders
    them, for each gaze and lid: the prediction is softer there and no truer (docs/generator.md).

    Args:
        warped: [P, P, 3] uint8.
        square: of whole pixels of it, resampled to S px.
        clean: [3, S, S] predicted colours from -1 to 1.
        displacement: [2, S, S] px; see Prediction.
        head: of the frame.

    Returns:
        [P, P, 3] uint8.
    """
    x0, y0, side, size = int(square.x0), int(square.y0), int(square.size), square.output_px
    part = warped[y0 : y0 + side, x0 : x0 + side]
    background = colours_to_float(part)[None]
    prediction = _resize(clean[None], side)
    if side > size:
        small = F.interpolate(displacement[None], scale_factor=0.25, mode="area")
        displaced = displace(background[None], small[None])[0]
        # The warp is also sharp where the reference does not show the head: eyes, which it rotates, and the background.
        exact = torch.isin(head.regions, torch.tensor((*region_ids(*EYEBALL), EMPTY)))
        visible = torch.where(exact, 255, head.visibility).float()[None, None] / 255.0
        # This is resampled as the network's images are.
        coarse = colours_to_float(_extract(SquareCrop(0, 0, side, size), _to_bytes(displaced[0])))
        difference = F.avg_pool2d((clean - coarse).abs().mean(0)[None, None], 5, 1, 2, count_include_pad=False)
        # One grey level is rounding; every 2.5 grey levels more divide the agreement by e.
        agreement = torch.exp(-(difference - 1 / 127.5).clamp(min=0.0) / 0.02)
        detail = _resize(torch.maximum(visible, agreement), side).clamp(0, 1)
        prediction = prediction + detail * (displaced - _resize(coarse[None], side))
    height, width = warped.shape[:2]
    weight = _fade(side, x0 > 0, x0 + side < width) * _fade(side, y0 > 0, y0 + side < height)[:, None]
    eyes = torch.isin(head.regions, torch.tensor(region_ids(*EYEBALL, "eyelids", "eyelashes")))
    eyes = F.avg_pool2d(F.max_pool2d(eyes.float()[None, None], 3, 1, 1), 3, 1, 1)
    weight = weight * (1.0 - _resize(eyes, side)[0, 0].clamp(0, 1))
    out = warped.clone()
    out[y0 : y0 + side, x0 : x0 + side] = _to_bytes(torch.lerp(background, prediction.clamp(-1.0, 1.0), weight)[0])
    return out


def blend_windows(
    count: int, window: int, overlap: int, predict: Callable[[int, int], Tensor]
) -> Iterator[tuple[int, Tensor]]:
    """Predict `count` frames window by window, and cross-fade where two windows overlap.

    Args:
        count: of frames.
        window: frames of a window; no more than one is held.
        overlap: frames that two windows have in common.
        predict: from the number of a window's first frame and that of its frames to a tensor [frames, ...].

    Yields:
        The number of each frame and its part of the tensor [...].

    Raises:
        ValueError: windows do not advance.
    """
    if not 0 <= overlap <= window // 2:
        raise ValueError(f"windows of {window} frames cannot overlap by {overlap}; want 0 to {window // 2}")
    previous: Tensor | None = None  # the end of the window before
    first = 0
    while first < count:
        number = min(window, count - first)
        frames = predict(first, number)
        if previous is not None:
            shared = len(previous)
            weight = (torch.arange(1, shared + 1, device=frames.device) / (shared + 1)).to(frames.dtype)
            frames[:shared] = torch.lerp(previous, frames[:shared], weight.view(-1, *[1] * (frames.dim() - 1)))
        is_last = first + number >= count
        ready = number if is_last else number - overlap
        for i in range(ready):
            yield first + i, frames[i]
        if is_last:
            return
        previous = frames[ready:].clone() if overlap else None
        first += ready


def head_images(maps: HeadMaps) -> HeadImages:
    """Return the maps of one frame as uint8 images. Raises ValueError if they have no visibility."""
    if maps.visibility is None:
        raise ValueError("the maps have no visibility; want maps of a head with a reference")
    return HeadImages(
        (NO_SURFACE + 127.0 * maps.normals[0]).round().byte(),
        maps.regions[0].byte(),
        (255.0 * maps.visibility[0]).round().byte(),
    )


def head_square(head: HeadShape, motion: Motion, reference: Reference, size: int) -> SquareCrop:
    """Find the square of a reference that holds the head there and in all frames of a motion.

    Args:
        head: the subject's.
        motion: F frames.
        reference: a square image.
        size: px to which the square is resampled.

    Returns:
        A square of whole pixels, inside of the reference; its side is 1.2 times the extent of the head.
    """
    camera = reference.camera
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    for frame_motion in (reference.motion, *motion):
        points = posed(head, head.neutral[None], frame_motion, reference.motion)[0].numpy()
        # Points nearer than 1 cm, or behind the camera, have no place in an image.
        px = camera.focal_px * points[:, :2] / np.maximum(points[:, 2:], 0.01) + (camera.cx, camera.cy)
        px = np.clip(px, 0, camera.width)  # what is out of sight needs no room
        low, high = np.minimum(low, px.min(axis=0)), np.maximum(high, px.max(axis=0))
    side = min(max(round(1.2 * float((high - low).max())), 16), camera.width)
    corner = np.clip(np.rint((low + high) / 2 - side / 2), 0, camera.width - side).astype(int)
    return SquareCrop(int(corner[0]), int(corner[1]), side, size)


def _extract(square: SquareCrop, image: Tensor) -> Tensor:
    """Cut a square out of an image [H, W, 3] uint8."""
    return torch.from_numpy(square.extract(image.numpy()))


def _to_bytes(image: Tensor) -> Tensor:
    """Return colours [3, H, W] from -1 to 1 as [H, W, 3] uint8."""
    return ((image.clamp(-1.0, 1.0) + 1.0) * 127.5).round().byte().permute(1, 2, 0)


def _resize(images: Tensor, side: int) -> Tensor:
    """Resize to [N, C, side, side]; shrinking averages."""
    return F.interpolate(images, (side, side), mode="bicubic", align_corners=False, antialias=True)


def _fade(side: int, at_start: bool, at_end: bool) -> Tensor:
    """Return weights [side] of 1, falling to 0 at those ends that lie inside of the image."""
    position = (torch.arange(side) + 0.5) / side
    weight = torch.ones(side)
    if at_start:
        weight = weight * (position / _EDGE).clamp(max=1.0)
    if at_end:
        weight = weight * ((1.0 - position) / _EDGE).clamp(max=1.0)
    return weight
