# SPDX-License-Identifier: Apache-2.0
"""Forty synthetic people outside the identity basis, ten expressions each: pictures with exact codes, rendered once.

Ages go from 2 to 85 years; distance, focal length and light differ by person, head pose and strength by picture.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from reenact.head.arkit import ACTIONS, index
from reenact.head.motion import Motion
from reenact.lab.synthetic import SyntheticPerson, random_scene, render_portraits, synthetic_person
from reenact.media.arrays import read_arrays, write_arrays
from reenact.rendering import Camera

PEOPLE: Final = 40
SIZE: Final = 448  # px
_FIRST_SEED: Final = 40_000  # below 100,000: never trained on
_AGES: Final = (2.0, 85.0)  # years, spaced evenly on a logarithmic scale
_DISTANCE_M: Final = (0.35, 2.5)  # selfie to telephoto, logarithmic
_YAW_RAD, _PITCH_RAD, _ROLL_RAD = 0.35, 0.16, 0.12  # standard deviations
_MOST_RAD: Final = 0.75
_LEVEL: Final = np.diag([1.0, -1.0, -1.0])

# Amounts are (least, most) of a uniform draw; names without a side act on both.
EXPRESSIONS: Final[dict[str, dict[str, tuple[float, float]]]] = {
    "neutral": {},
    "smile": {"mouthSmile": (0.4, 1.0), "cheekSquint": (0.2, 0.6), "eyeSquint": (0.1, 0.5)},
    "laugh": {"mouthSmile": (0.6, 1.0), "jawOpen": (0.2, 0.6), "mouthUpperUp": (0.2, 0.6), "cheekSquint": (0.3, 0.8),
              "eyeSquint": (0.2, 0.7)},
    "anger": {"browDown": (0.5, 1.0), "eyeSquint": (0.2, 0.7), "mouthPress": (0.3, 0.8), "noseSneer": (0.1, 0.5)},
    "surprise": {"browInnerUp": (0.5, 1.0), "browOuterUp": (0.5, 1.0), "eyeWide": (0.3, 0.8), "jawOpen": (0.3, 0.9)},
    "sadness": {"mouthFrown": (0.4, 1.0), "browInnerUp": (0.4, 1.0), "mouthShrugLower": (0.1, 0.5)},
    "disgust": {"noseSneer": (0.5, 1.0), "mouthUpperUp": (0.3, 0.8), "browDown": (0.2, 0.6), "eyeSquint": (0.1, 0.5)},
    "kiss": {"mouthPucker": (0.5, 1.0), "eyeBlink": (0.0, 1.0)},
    "funnel": {"mouthFunnel": (0.4, 0.9), "jawOpen": (0.1, 0.5), "browOuterUp": (0.0, 0.8)},
    "puff": {"cheekPuff": (0.4, 1.0), "mouthPress": (0.1, 0.5), "eyeBlink": (0.0, 1.0)},
}  # fmt: skip
_ONE_SIDED: Final = 0.2  # share of the pictures in which one side acts at half strength


@dataclass(frozen=True)
class Truth:
    """P people with E pictures each."""

    images: NDArray[np.uint8]  # [P, E, SIZE, SIZE, 3] RGB
    expression: NDArray[np.float32]  # [P, E, 52]
    R_cam_head: NDArray[np.float32]  # [P, E, 3, 3]
    distance_faces: NDArray[np.float32]  # [P, E] distance along z in sizes (root mean square radius) of that face
    focal_px: NDArray[np.float32]  # [P]
    age: NDArray[np.float32]  # [P] years


def synthetic_expressions(folder: Path, people: Iterable[int] = range(PEOPLE)) -> Truth:
    """Read the pictures of some people and their truth from a folder; missing ones are rendered (three a second)."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = []
    for number in people:
        path = folder / f"person-{number:02d}.safetensors"
        if not path.exists():
            write_arrays(path, _draw(number))
        arrays, _ = read_arrays(path, "file of synthetic expressions")
        parts.append({name: arrays[name] for name in Truth.__dataclass_fields__})
    return Truth(**{name: np.stack([p[name] for p in parts]) for name in parts[0]})


def _draw(number: int) -> dict[str, NDArray[np.generic]]:
    draw = np.random.default_rng(_FIRST_SEED + number)
    low, high = np.log(_AGES)
    person = synthetic_person(_FIRST_SEED + number, age=float(np.exp(low + (high - low) * number / (PEOPLE - 1))))
    distance = float(np.exp(draw.uniform(*np.log(_DISTANCE_M)))) * person.size
    scene = replace(random_scene(_FIRST_SEED + number), distance_m=distance)
    states = Motion.joined([_state(draw, person, scene.head_at(person), a) for a in EXPRESSIONS.values()])
    with torch.no_grad():
        drawn = render_portraits([person], states, [scene], SIZE)
    camera: Camera = drawn.cameras[0]
    marks = person.head.topology.at_landmarks(person.head.neutral).numpy()
    size = float(np.sqrt(((marks - marks.mean(axis=0)) ** 2).sum(axis=1).mean()))
    return {
        "images": drawn.images,
        "expression": states.expression.numpy(),
        "R_cam_head": states.rotation.numpy(),
        "distance_faces": (states.translation[:, 2] / size).numpy(),
        "focal_px": np.asarray(camera.focal_px, np.float32),
        "age": np.asarray(person.age, np.float32),
    }


def _state(
    draw: np.random.Generator, person: SyntheticPerson, place: NDArray, amounts: dict[str, tuple[float, float]]
) -> Motion:
    sides = np.ones(2)
    if draw.random() < _ONE_SIDED:
        sides[draw.integers(2)] = 0.5
    codes = np.zeros(len(ACTIONS), np.float32)
    for name, (least, most) in amounts.items():
        amount = draw.uniform(least, most)
        if name in ACTIONS:
            codes[index(name)] = amount
        else:
            for side, share in zip(("Left", "Right"), sides, strict=True):
                codes[index(f"{name}{side}")] = amount * share
    angles = np.clip(draw.normal(0.0, (_YAW_RAD, _PITCH_RAD, _ROLL_RAD)), -_MOST_RAD, _MOST_RAD)
    turn = Rotation.from_euler("YXZ", angles).as_matrix() @ _LEVEL
    gaze = np.repeat(draw.normal(0.0, (0.12, 0.07))[None], 2, axis=0).astype(np.float32)
    shift = draw.normal(0.0, 0.006, 3) * person.size
    return Motion(codes, gaze, turn, place + shift)
