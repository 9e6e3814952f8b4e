# SPDX-License-Identifier: Apache-2.0
"""What makes a video for a pair: this project, and the three that every table needs to be read by."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from reenact.generator.choice import GeneratorName, GeneratorOptions
from reenact.head.state import deformed
from reenact.media import VideoWriter, probe, read_frames, read_image
from reenact.perception import VideoLandmarks
from reenact.pipeline import AnimateOptions, Detail, paint, perform
from reenact.tracking import find_face

from .baselines import static, warp_2d
from .mesh import SUFFIX, Heads, save_heads
from .protocol import Pair

System = Callable[[Pair, Path, Path], None]
"""Writes the video of a pair; the pair's files lie under the first path, the video goes to the second."""


def reenact(
    pair: Pair, inputs: Path, output: Path, detail: Detail | None = None, generator: GeneratorName = "warp"
) -> None:
    """This project with one of its generators, over the whole photo.

    Absolute self-reenactment fits one head to photo and driver: that they are one person is what "self" says.
    detail, generator: see AnimateOptions.
    """
    same = pair.is_self and pair.mode == "absolute"
    options = AnimateOptions(
        mode=pair.mode,
        neutral=pair.neutral,
        same_person=same,
        detail=detail,
        generator=GeneratorOptions(generator),
    )
    performed = perform(inputs / pair.photo, inputs / pair.driver, options)
    if pair.mesh is not None:
        rig = performed.portrait.person.rig
        photo, states = performed.portrait.state, performed.states
        heads = Heads(deformed(rig, states), deformed(rig, photo)[0], states.rotation.numpy())
        save_heads(heads, output.with_name(f"{output.stem}{SUFFIX}"))
    paint(performed, inputs / pair.driver, output, options)


def frozen(pair: Pair, inputs: Path, output: Path) -> None:
    """The photo, as long as the driver."""
    photo = read_image(inputs / pair.photo)
    count = sum(1 for _ in read_frames(probe(inputs / pair.driver)))
    _write(pair, inputs, output, static(photo, count))


def real(pair: Pair, inputs: Path, output: Path) -> None:
    """The driver's own video: the ceiling of motion, and in cross-reenactment the floor of identity."""
    shutil.copyfile(inputs / pair.driver, output)


def flat_warp(pair: Pair, inputs: Path, output: Path) -> None:
    """Triangles between 2D landmarks."""
    photo = read_image(inputs / pair.photo)
    points = find_face(photo, 0, inputs / pair.photo).points

    def followed() -> Iterator[np.ndarray | None]:
        with VideoLandmarks(0, None) as follow:
            for frame in read_frames(probe(inputs / pair.driver)):
                face = follow(frame.image)
                yield None if face is None else face.points

    _write(pair, inputs, output, warp_2d(photo, points, followed(), absolute=pair.is_self))


SYSTEMS: dict[str, System] = {
    "reenact-warp": reenact,
    "reenact-own": partial(reenact, detail="own"),
    "reenact-compact": partial(reenact, generator="compact"),
    "STATIC": frozen,
    "WARP-2D": flat_warp,
    "REAL": real,
}
"""The second is the paper's ablation (section 2): dynamic offsets of the subject's own."""


def _write(pair: Pair, inputs: Path, output: Path, frames: Iterator[np.ndarray]) -> None:
    first = next(frames)
    with VideoWriter(output, probe(inputs / pair.driver).fps, first.shape[1], first.shape[0]) as writer:
        writer.write(first)
        for frame in frames:
            writer.write(frame)
