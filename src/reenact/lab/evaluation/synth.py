# SPDX-License-Identifier: Apache-2.0
"""A benchmark that code generates: cross-reenactment with a true answer.

Person B gives, with their own anatomy, the performance that person A gives in the driver: since neither exists, the
video of B doing so is known pixel by pixel and vertex by vertex. B's photo shows B at rest, and A starts from rest, so
relative and absolute motion have the same answer. Everything follows from one seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from reenact.head.motion import Motion
from reenact.head.smoothstep import smoothstep
from reenact.lab.synthetic import (
    Scene,
    SyntheticPerson,
    performed_by,
    random_scene,
    render_portraits,
    still_state,
    synthetic_motion,
    synthetic_person,
)
from reenact.lab.workers import spread
from reenact.media import VideoWriter, write_image
from reenact.media.progress import Progress

from .mesh import SUFFIX, Heads, save_heads
from .protocol import Manifest, Pair, save_manifest

_AGES = (6.0, 34.0, 71.0, 1.5, 48.0, 15.0, 25.0, 83.0)
"""Ages of the subjects in years, in turn; drivers take them from the other end, so that age differs."""
_LOSSLESS_ENOUGH = 8


def draw_benchmark(
    out: Path,
    seed: int,
    count: int,
    frames: int,
    size: int,
    progress: Progress,
    jobs: int = 1,
) -> Manifest:
    """Draw photos, drivers, truths and true heads of `count` pairs under `out`; the manifest there has both modes.

    What is there already is kept.
    """
    for folder in ("photos", "drivers", "truths"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    work = [_Drawing(out, seed, number, frames, size) for number in range(count)]
    pairs = [pair for both in spread(_pair, work, jobs, "drawing", progress) for pair in both]
    manifest = Manifest(f"synthetic-{seed}-{count}x{frames}-{size}px", tuple(pairs), frames)
    save_manifest(manifest, out / "manifest.json")
    return manifest


@dataclass(frozen=True)
class _Drawing:
    out: Path
    seed: int
    number: int
    frames: int
    size: int


def _pair(drawing: _Drawing) -> list[Pair]:
    out, seed, number, frames, size = (getattr(drawing, name) for name in drawing.__dataclass_fields__)
    first = 1000 * (seed + 1) + 10 * number
    age, driver_age = _AGES[number % len(_AGES)], _AGES[-1 - (number + 2) % len(_AGES)]
    name, driver_name = f"syn{first}-{age:g}y", f"syn{first + 1}-{driver_age:g}y"
    stem = f"{name}--{driver_name}"
    photo, driver, truth = f"photos/{stem}.png", f"drivers/{stem}.mp4", f"truths/{stem}.mp4"
    if not all((out / made).exists() for made in (photo, driver, truth, f"truths/{stem}{SUFFIX}")):
        performance = _from_rest(synthetic_motion(first, frames))
        performer = synthetic_person(first + 1, age=driver_age)
        _video(out / driver, performer, random_scene(first + 1), performance, size)
        subject, scene = synthetic_person(first, age=age), random_scene(first)
        rest = still_state(subject, scene)
        write_image(out / photo, render_portraits([subject], rest, [scene], size).images[0])
        _video(out / truth, subject, scene, performance, size)
        states = performed_by(performance, subject, scene)
        count = len(subject.head.neutral.numpy())
        shapes, still = (subject.canonical(s).numpy()[:, :count] for s in (states, rest))
        save_heads(Heads(shapes, still[0], states.rotation.numpy()), out / f"truths/{stem}{SUFFIX}")
    modes: tuple[Literal["relative", "absolute"], ...] = ("relative", "absolute")
    mesh = f"truths/{stem}{SUFFIX}"
    return [
        Pair(f"{stem}--{mode}", photo, driver, truth, name, driver_name, mode, neutral=0, mesh=mesh) for mode in modes
    ]


def _from_rest(performance: Motion) -> Motion:
    """Begin a performance within 8 frames from a neutral face that looks at the camera."""
    ramp = smoothstep(0.0, 8, np.arange(len(performance)))
    level = np.diag([1.0, -1.0, -1.0])
    turned = Rotation.from_matrix(performance.rotation.numpy() @ level).as_rotvec() * ramp[:, None]
    return performance.replace(
        expression=performance.expression.numpy() * ramp[:, None],
        gaze=performance.gaze.numpy() * ramp[:, None, None],
        rotation=Rotation.from_rotvec(turned).as_matrix() @ level,
        translation=performance.translation.numpy() * ramp[:, None],
    )


def _video(path: Path, person: SyntheticPerson, scene: Scene, performance: Motion, size: int) -> None:
    states = performed_by(performance, person, scene)
    rest = still_state(person, scene)
    drawn = render_portraits([person], states, [scene], size, rest=[rest])
    with VideoWriter(path, performance.fps, size, size, crf=_LOSSLESS_ENOUGH) as writer:
        for image in drawn.images:
            writer.write(image)
