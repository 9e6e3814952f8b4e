# SPDX-License-Identifier: Apache-2.0
"""Synthetic portraits with their dense truth, prepared once into shards that training reads.

A shard is one safetensors file of N portraits of S x S pixels:

    images   uint8   [N, S, S, 3]  RGB
    normals  int8    [N, S, S, 3]  127 x the unit normal in camera space (x right, y down, z away); 0 on the background
    depth    float16 [N, S, S]     see `relative_depth`; 0 on the background
    classes  uint8   [N, S, S]     index into dense.network.CLASSES
    person   int32   [N]           seed of the synthetic person
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from reenact.head.motion import Motion
from reenact.lab.synthetic import (
    LABELS,
    Scene,
    SyntheticFrames,
    SyntheticPerson,
    performed_by,
    random_scene,
    synthetic_motion,
    synthetic_person,
)
from reenact.lab.synthetic.noise import rng
from reenact.lab.synthetic.render import render_portraits
from reenact.lab.workers import Arrays, people_shards, prepare_shards
from reenact.media.progress import Progress
from reenact.perception.dense.network import CLASSES

TRAINING_SEED, HELD_OUT_SEED = 100_000, 900_000
"""First seeds of the people to learn from and of those to be measured on; the benchmark's are below 100,000."""


def prepare_portraits(
    out: Path,
    people: int,
    each: int,
    size: int,
    progress: Progress,
    *,
    first: int = TRAINING_SEED,
    jobs: int = 1,
) -> list[Path]:
    """Draw `each` portraits of each of `people` people, in scenes of their own, and return the shards.

    What is there already is kept, so that an interrupted run goes on.
    """
    shards = people_shards(out, f"portraits-{{}}x{each}-{size}px", range(first, first + people), 25)
    return prepare_shards(partial(_portraits, each, size), shards, jobs, "drawing", progress)


def _portraits(each: int, size: int, seeds: Sequence[int]) -> Iterator[Arrays]:
    for seed in seeds:
        person = synthetic_person(seed)
        scenes = [random_scene(seed * 100 + i) for i in range(each)]
        drawn = render_portraits([person], poses(person, scenes), scenes, size)
        yield _rows(drawn, scenes, person)


def poses(person: SyntheticPerson, scenes: list[Scene]) -> Motion:
    """Sample one frame for each scene: of a synthetic motion, the head turned further than performers turn."""
    performance = synthetic_motion(person.seed, 25 * len(scenes))
    draw = rng(person.seed, "portrait poses")
    states = []
    for i, scene in enumerate(scenes):
        state = performed_by(performance, person, scene)[25 * i + int(draw.integers(25))]
        angles = np.clip(draw.normal(0.0, (0.40, 0.18, 0.14)), -1.1, 1.1)  # turn, nod and tilt, rad
        turn = Rotation.from_euler("YXZ", angles).as_matrix().astype(np.float32)
        rest = draw.random() < 0.2  # many photos show a face that does nothing
        state = state.replace(rotation=turn @ state.rotation.numpy())
        states.append(state.replace(expression=np.zeros(state.expression.shape)) if rest else state)
    return Motion.joined(states)


def _rows(drawn: SyntheticFrames, scenes: list[Scene], person: SyntheticPerson) -> Arrays:
    shown = np.isfinite(drawn.depth)
    classes = class_table()[drawn.labels]
    focal = np.asarray([s.camera(person, drawn.images.shape[1]).focal_px for s in scenes], np.float32)
    distance = np.asarray([s.distance_m for s in scenes], np.float32)
    depth = relative_depth(np.where(shown, drawn.depth, 0.0), distance, focal / drawn.images.shape[1])
    return {
        "images": drawn.images,
        "normals": np.round(127.0 * drawn.normals * shown[..., None]).astype(np.int8),
        "depth": np.where(shown, depth, 0.0).astype(np.float16),
        "classes": np.where(shown, classes, 0).astype(np.uint8),
        "person": np.full(len(drawn), person.seed, np.int32),
    }


def relative_depth(
    depth_m: NDArray[np.floating], distance_m: NDArray[np.floating], focal: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Convert depth [N, H, W] to depth beyond `distance_m` [N] in sides of the picture at that distance.

    focal: [N] focal length in sides of the picture. Zoom changes it, the camera's distance nearly does not.
    """
    return (depth_m - distance_m[:, None, None]) * (focal / distance_m)[:, None, None]


def class_table() -> NDArray[np.uint8]:
    """Return the class of each label [256]."""
    inside = ("mouth_cavity", "teeth_upper", "teeth_lower", "tongue")
    renamed = {"sclera": "eyes", "iris": "eyes"} | dict.fromkeys(inside, "mouth")
    table = np.zeros(256, np.uint8)
    for i, label in enumerate(LABELS):
        table[i] = CLASSES.index(label if label in CLASSES else renamed.get(label, "skin"))
    return table
