# SPDX-License-Identifier: Apache-2.0
"""Subjects and their own deformations, prepared once into shards that the training of transfer reads.

A shard is one safetensors file of P people, each giving C short performances of T consecutive frames:

    neutral  float32 [P, W, 3]          fit mesh at rest, canonical, metres
    codes    float16 [P, C, T, 52]      expression codes, eyeLook from the gaze
    offsets  float16 [P, C, T, Wf, 3]   mm from the person's actions added up to what their face does, face rows only
    person   int32   [P]                seed
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reenact.head.arkit import ACTIONS, OTHER_SIDE
from reenact.head.motion import Motion
from reenact.head.state import codes_of
from reenact.lab.synthetic import synthetic_motion
from reenact.lab.synthetic.noise import rng
from reenact.lab.synthetic.own_deformation import OwnDeformation, linear
from reenact.lab.workers import Arrays, people_shards, prepare_shards
from reenact.media.progress import Progress
from reenact.transfer.subject_features import face_rows

TRAINING_SEED, HELD_OUT_SEED = 300_000, 930_000
"""First seeds of the people to learn from and of those to be measured on."""
CLIPS, FRAMES = 4, 12


def prepare_subjects(
    out: Path,
    people: int,
    progress: Progress,
    *,
    first: int = TRAINING_SEED,
    jobs: int = 1,
) -> list[Path]:
    """Draw people and performances; what is there already is kept, so that an interrupted run goes on."""
    shards = people_shards(out, "receivers-{}", range(first, first + people), 20)
    return prepare_shards(_people, shards, jobs, "moving faces", progress)


def _people(seeds: Sequence[int]) -> Iterator[Arrays]:
    for seed in seeds:
        yield {name: array[None] for name, array in _person(seed).items()}


def _person(seed: int) -> Arrays:
    own, draw, rows = OwnDeformation.of(seed), rng(seed, "receiver"), face_rows()
    states = Motion.joined([performance(draw, FRAMES) for _ in range(CLIPS)])
    offsets = (own.shapes(states) - linear(own.head, states))[:, rows].numpy() * 1000.0
    rest = own.neutral() - linear(own.head, still())[0]
    offsets -= rest[rows].numpy() * 1000.0  # what is there at rest is who somebody is
    codes = codes_of(own.head, states).numpy()
    return {
        "neutral": own.neutral().numpy(),
        "codes": codes.reshape(CLIPS, FRAMES, -1).astype(np.float16),
        "offsets": offsets.reshape(CLIPS, FRAMES, len(rows), 3).astype(np.float16),
        "person": np.asarray(seed, np.int32),
    }


def still() -> Motion:
    """Make one frame of a face at rest that looks ahead."""
    return _ahead(np.zeros((1, len(ACTIONS))), np.zeros((1, 2, 2)))


def _ahead(expression: NDArray[np.floating], gaze: NDArray[np.floating]) -> Motion:
    """Make F frames of a head that looks into the camera, a metre away."""
    count = len(expression)
    rotation = np.tile(np.diag([1.0, -1.0, -1.0]), (count, 1, 1))
    return Motion(expression, gaze, rotation, np.tile([0.0, 0.0, 1.0], (count, 1)))


def performance(draw: np.random.Generator, frames: int) -> Motion:
    """Consecutive frames at 25 a second: out of a synthetic motion, stronger or weaker, or any actions in turn."""
    strength = draw.uniform(0.7, 1.4)
    most = 1.2  # codes beyond one occur when a performance is exaggerated
    if draw.random() < 0.6:  # the others mix any actions
        first = int(draw.integers(0, 100))
        drawn = synthetic_motion(int(draw.integers(1 << 30)), first + frames)
        codes = np.clip(strength * drawn.expression[first:].numpy(), 0.0, most)
        return _ahead(codes, drawn.gaze[first:].numpy())
    ends = np.stack([_any_actions(draw) for _ in range(2)])
    share = np.linspace(0.0, 1.0, frames)[:, None]
    codes = np.clip(strength * ((1.0 - share) * ends[0] + share * ends[1]), 0.0, most)
    gaze = np.clip(draw.normal(0.0, 0.2, (1, 1, 2)), -0.5, 0.5) * np.ones((frames, 2, 1))
    return _ahead(codes, gaze)


def _any_actions(draw: np.random.Generator) -> NDArray[np.floating]:
    """Sample some actions [52], mostly alike on both sides."""
    codes = np.zeros(len(ACTIONS))
    for name in draw.choice(ACTIONS, int(draw.integers(1, 6)), replace=False):
        value = draw.uniform(0.2, 1.0)
        row = ACTIONS.index(str(name))
        codes[row] = value
        if draw.random() < 0.8:
            codes[OTHER_SIDE[row]] = value
    return codes
