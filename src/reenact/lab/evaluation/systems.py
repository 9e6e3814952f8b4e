# SPDX-License-Identifier: Apache-2.0
"""What makes a video for a pair: this project, and the three without which no table can be read.

These are a photo that does not move, the driver's own video, and a plain 2D warp of landmarks.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from reenact.generator.choice import GeneratorName, GeneratorOptions
from reenact.head.mesh import rms_radius
from reenact.head.state import deformed
from reenact.media import VideoWriter, probe, read_frames, read_image
from reenact.perception import VideoLandmarks
from reenact.pipeline import AnimateOptions, Pipeline, write_video
from reenact.rendering import interpolate, rasterise
from reenact.subject.fit_subject import SubjectDetail
from reenact.tracking import find_face
from reenact.transfer.dynamic_offsets import Detail

from .mesh import SUFFIX, Heads, save_heads
from .protocol import Pair

System = Callable[[Pair, Path, Path], None]
"""Writes the video of a pair; the pair's files lie under the first path, the video goes to the second."""
Image = NDArray[np.uint8]
_BORDER = 9  # points along each side of the picture that stay


def _reenact(
    pair: Pair,
    inputs: Path,
    output: Path,
    detail: Detail = "none",
    generator: GeneratorName = "warp",
    subject_detail: SubjectDetail = "personal",
) -> None:
    """Run this project with one of its generators, over the whole photo.

    Absolute self-reenactment fits one head to photo and driver: that they are one person is what "self" says.
    detail, generator, subject_detail: see AnimateOptions.
    """
    same = pair.is_self and pair.mode == "absolute"
    options = AnimateOptions(
        mode=pair.mode,
        neutral=pair.neutral,
        same_person=same,
        detail=detail,
        subject_detail=subject_detail,
        generator=GeneratorOptions(generator),
    )
    pipeline = Pipeline()
    performance = pipeline.prepare(inputs / pair.photo, inputs / pair.driver, options)
    if pair.mesh is not None:
        subject, target = performance.subject, performance.target
        shapes, photo = (deformed(subject.head, m).numpy() for m in (target, subject.require_reference().motion))
        heads = Heads(shapes, photo[0], target.rotation.numpy())
        save_heads(heads, output.with_name(f"{output.stem}{SUFFIX}"))
    write_video(pipeline, performance, inputs / pair.driver, output, options)


def _frozen(pair: Pair, inputs: Path, output: Path) -> None:
    """Show the photo, as long as the driver."""
    photo = read_image(inputs / pair.photo)
    count = sum(1 for _ in read_frames(probe(inputs / pair.driver)))
    _write(pair, inputs, output, static(photo, count))


def _real(pair: Pair, inputs: Path, output: Path) -> None:
    """Show the driver's own video: the ceiling of motion, and in cross-reenactment the floor of identity."""
    shutil.copyfile(inputs / pair.driver, output)


def _flat_warp(pair: Pair, inputs: Path, output: Path) -> None:
    """Warp triangles between 2D landmarks."""
    photo = read_image(inputs / pair.photo)
    points = find_face(photo, 0, inputs / pair.photo).points

    def followed() -> Iterator[np.ndarray | None]:
        with VideoLandmarks(0, None) as follow:
            for frame in read_frames(probe(inputs / pair.driver)):
                face = follow(frame.image)
                yield None if face is None else face.points

    _write(pair, inputs, output, warp_2d(photo, points, followed(), absolute=pair.is_self))


SYSTEMS: dict[str, System] = {
    "reenact-warp": _reenact,
    "reenact-coarse": partial(_reenact, subject_detail="coarse"),
    "reenact-own": partial(_reenact, detail="own"),
    "reenact-compact": partial(_reenact, generator="compact"),
    "STATIC": _frozen,
    "WARP-2D": _flat_warp,
    "REAL": _real,
}
"""Of the ablations of the paper (section 2) the second lacks static offsets; the third has dynamic ones of the
subject's own."""


def _write(pair: Pair, inputs: Path, output: Path, frames: Iterator[np.ndarray]) -> None:
    first = next(frames)
    with VideoWriter(output, probe(inputs / pair.driver).fps, first.shape[1], first.shape[0]) as writer:
        writer.write(first)
        for frame in frames:
            writer.write(frame)


def static(photo: Image, frames: int) -> Iterator[Image]:
    """STATIC: the photo, frozen. Whole-frame measures and identity love it; motion does not."""
    return repeat(photo, frames)


def warp_2d(photo: Image, photo_points: NDArray[np.floating], driver_points: Iterable[NDArray[np.floating] | None],
            *, absolute: bool) -> Iterator[Image]:  # fmt: skip
    """Move the photo's landmark triangles as the driver's landmarks move; no 3D, nothing behind the lips.

    photo: [H, W, 3]. photo_points: [L, 2] px. driver_points: for each frame [L, 2] px of the driver, or None where no
    face is seen: the last frame stands. absolute: take the driver's places as they are (self-reenactment, where the
    photo is the driver's first frame); else their motion since the first, in the photo's face sizes.
    """
    height, width = photo.shape[:2]
    fixed = _frame_points(width, height)
    source = np.concatenate([photo_points, fixed]).astype(np.float32)
    triangles = torch.from_numpy(Delaunay(source).simplices.astype(np.int32))
    first: NDArray[np.floating] | None = None
    points = photo_points
    for found in driver_points:
        if found is not None:
            if first is None:
                first = found
            points = (
                found if absolute else photo_points + (found - first) * rms_radius(photo_points) / rms_radius(first)
            )
        yield _warp(photo, source, np.concatenate([points, fixed]).astype(np.float32), triangles)


def _warp(photo: Image, source: NDArray[np.float32], target: NDArray[np.float32], triangles: torch.Tensor) -> Image:
    """Warp the photo's triangles over `source` [V, 2] px to `target` [V, 2] px."""
    px = torch.from_numpy(np.column_stack([target, np.ones(len(target), np.float32)])[None])
    drawn = rasterise(px, triangles, photo.shape[0], photo.shape[1], cull_back=False)
    shift = interpolate(torch.from_numpy(source - target), triangles, drawn)[0].numpy()
    y, x = np.mgrid[0 : photo.shape[0], 0 : photo.shape[1]].astype(np.float32)
    out = cv2.remap(photo, x + shift[..., 0], y + shift[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(out, np.uint8)


def _frame_points(width: int, height: int) -> NDArray[np.float64]:
    share = np.linspace(0.0, 1.0, _BORDER)
    sides = [(share, 0 * share), (share, 0 * share + 1), (0 * share, share), (0 * share + 1, share)]
    points = np.concatenate([np.column_stack(side) for side in sides]) * (width, height)
    return np.unique(points, axis=0)
