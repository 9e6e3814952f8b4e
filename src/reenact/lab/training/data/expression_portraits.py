# SPDX-License-Identifier: Apache-2.0
"""Synthetic faces with exact expression codes, prepared once into shards that the expression network learns from.

A shard is one safetensors file of N faces:

    images      uint8   [N, CROP_PX, CROP_PX, 3]  RGB, perception.face_crop with STORED, by the true landmarks
    expression  float32 [N, 52]  codes in the order of heads.arkit.ACTIONS
    gaze        float32 [N, 2, 2]  radians relative to the head, subject's left eye first
    rotation    float32 [N, 3, 3]  of the head relative to the line of sight, roll of the crop taken out
    distance    float32 [N]  from the camera to the head in sizes of the base adult's face, metres times head scale
    scores      float32 [N, 52]  of the blendshape network, NaN where it found no face
    error       float32 [N]  median distance of its landmarks from the true ones in face radii, NaN likewise
    person      int32   [N]  seed of the synthetic person
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from reenact.head.arkit import ACTIONS, index
from reenact.head.mesh import rms_radius
from reenact.head.motion import Motion
from reenact.lab.synthetic import (
    Scene,
    SyntheticPerson,
    random_scene,
    render_portraits,
    synthetic_motion,
    synthetic_person,
)
from reenact.lab.synthetic.noise import rng
from reenact.lab.workers import Arrays, people_shards, prepare_shards
from reenact.media.progress import Progress
from reenact.perception.expression_network import STORED
from reenact.perception.face_crop import crop_matrix, face_crop
from reenact.perception.landmark_network import LandmarkNetwork
from reenact.perception.landmarks import Roi

CROP_PX: Final = 160
PICTURE_PX: Final = 256
TRAINING_SEED, HELD_OUT_SEED = 2_000_000, 2_900_000
"""First seeds of the people to learn from and of those to be measured on."""

ARCHETYPES: Final[tuple[dict[str, float], ...]] = (
    {"mouthSmile": 1.0, "cheekSquint": 0.5, "eyeSquint": 0.4},
    {"mouthSmile": 1.0, "jawOpen": 0.5, "mouthUpperUp": 0.5, "cheekSquint": 0.8, "eyeSquint": 0.6},
    {"mouthSmile": 0.8, "mouthUpperUp": 0.6, "mouthLowerDown": 0.4},
    {"browDown": 1.0, "eyeSquint": 0.6, "mouthPress": 0.7, "noseSneer": 0.4},
    {"browDown": 1.0, "noseSneer": 0.8, "mouthUpperUp": 0.6, "mouthLowerDown": 0.5, "jawOpen": 0.4},
    {"noseSneer": 1.0, "mouthUpperUp": 0.7, "browDown": 0.5, "eyeSquint": 0.5},
    {"browInnerUp": 1.0, "browOuterUp": 1.0, "eyeWide": 0.9, "jawOpen": 0.8},
    {"browInnerUp": 1.0, "browOuterUp": 0.5, "eyeWide": 0.7, "mouthStretch": 0.9, "jawOpen": 0.3},
    {"mouthFrown": 1.0, "browInnerUp": 0.9, "mouthShrugLower": 0.6},
    {"browDown": 0.8, "browInnerUp": 0.9, "mouthFrown": 0.4},
    {"mouthPucker": 1.0, "mouthFunnel": 0.1},
    {"mouthFunnel": 0.9, "jawOpen": 0.4},
    {"mouthPress": 1.0, "mouthRollLower": 0.5, "mouthRollUpper": 0.5},
    {"mouthRollLower": 1.0, "mouthRollUpper": 0.7},
    {"cheekPuff": 1.0, "mouthPress": 0.4},
    {"eyeSquint": 1.0, "cheekSquint": 0.8},
    {"eyeBlink": 1.0},
    {"eyeBlink": 0.5},
    {"eyeWide": 1.0},
    {"browOuterUp": 1.0},
    {"browInnerUp": 1.0},
    {"browDown": 1.0},
    {"jawOpen": 1.0},
    {"jawOpen": 0.6, "tongueOut": 1.0, "mouthLowerDown": 0.3},
    {"jawOpen": 0.3, "tongueOut": 0.9, "mouthSmile": 0.5},
    {"mouthDimple": 1.0},
    {"mouthStretch": 1.0, "mouthLowerDown": 0.6},
    {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.8},
    {"mouthLeft": 1.0},
    {"mouthRight": 1.0},
    {"jawLeft": 1.0},
    {"jawRight": 1.0},
    {"jawForward": 1.0, "mouthShrugLower": 0.3},
    {"jawOpen": 0.6, "mouthClose": 0.5},
    {"mouthUpperUp": 0.8, "mouthLowerDown": 0.6, "mouthStretch": 0.5, "noseSneer": 0.5, "cheekSquint": 0.4},
    {"mouthUpperUp": 0.7, "mouthLowerDown": 0.5, "eyeSquint": 0.5, "browInnerUp": 0.3},
    {"mouthSmile": 0.9, "mouthUpperUp": 0.5, "mouthLowerDown": 0.6, "jawOpen": 0.3, "cheekSquint": 0.7},
    {"jawOpen": 0.5, "mouthUpperUp": 0.6, "mouthLowerDown": 0.6, "browDown": 0.6},
    {"browInnerUp": 0.8, "mouthShrugUpper": 0.4, "mouthUpperUp": 0.3, "mouthLowerDown": 0.3, "eyeSquint": 0.3},
)
"""Full strength of faces that are made; names without a side act on both."""

# What may go with what in free combinations: one of each row at most.
_GROUPS: Final[tuple[tuple[str, ...], ...]] = (
    ("browDown", "browInnerUp", "browOuterUp"),
    ("eyeBlink", "eyeSquint", "eyeWide"),
    ("cheekPuff", "cheekSquint", "noseSneer"),
    ("jawOpen", "jawForward", "jawLeft", "jawRight"),
    ("mouthSmile", "mouthFrown", "mouthPucker", "mouthFunnel", "mouthDimple", "mouthStretch", "mouthLeft",
     "mouthRight"),
    ("mouthPress", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthUpperUp",
     "mouthLowerDown"),
)  # fmt: skip


def prepare_expression_portraits(
    out: Path,
    people: int,
    each: int,
    progress: Progress,
    *,
    first: int = TRAINING_SEED,
    jobs: int = 1,
) -> list[Path]:
    """Draw `each` faces of each of `people` people and return the shards; those that exist are kept."""
    shards = people_shards(out, f"expression-{{}}x{each}", range(first, first + people), 20)
    return prepare_shards(partial(_faces, each), shards, jobs, "drawing", progress)


def random_expression(seed: int, picture: int) -> NDArray[np.float32]:
    """Draw codes [52].

    They are neutral (10 % of pictures), from a performance (25 %), free combinations (30 %), or archetypes with noise.
    """
    draw = rng(seed, f"expression {picture}")
    kind = draw.random()
    codes = np.zeros(len(ACTIONS), np.float32)
    if kind < 0.1:
        return codes
    if kind < 0.35:
        codes = synthetic_motion(seed * 31 + picture, 50).expression[int(draw.integers(50))].numpy()
    elif kind < 0.65:
        for group in _GROUPS:
            if draw.random() < 0.55:
                _add(codes, {str(draw.choice(group)): 1.0}, float(draw.uniform(0.1, 1.0)), draw)
    else:
        for _ in range(1 if draw.random() < 0.7 else 2):
            _add(codes, ARCHETYPES[int(draw.integers(len(ARCHETYPES)))], float(draw.uniform(0.25, 1.1)), draw)
    mouth = np.asarray([a.startswith("mouth") and a != "mouthClose" for a in ACTIONS])
    # Beyond a sum of 2.2 of the mouth's codes (both sides' smile, sneer and press) meshes tear.
    codes[mouth] *= min(1.0, 2.2 / max(float(codes[mouth].sum()) / 2, 1e-6))
    close = index("mouthClose")
    codes[close] = min(codes[close], codes[index("jawOpen")])  # it seals lips over an open jaw only
    return np.clip(codes, 0.0, 1.0)


def _add(codes: NDArray[np.float32], shape: dict[str, float], strength: float, draw: np.random.Generator) -> None:
    sides = np.ones(2)
    if draw.random() < 0.25:
        sides[int(draw.integers(2))] = draw.uniform(0.0, 0.6)
    for name, amount in shape.items():
        amount *= strength * float(draw.uniform(0.6, 1.2))
        if name in ACTIONS:
            codes[index(name)] += amount
        else:
            for side, share in zip(("Left", "Right"), sides, strict=True):
                codes[index(f"{name}{side}")] += amount * share


def _state(person: SyntheticPerson, scene: Scene, seed: int, picture: int) -> Motion:
    draw = rng(seed, f"expression pose {picture}")
    angles = draw.normal(0.0, (0.45, 0.24, 0.18))  # yaw, pitch, roll, rad
    angles[:2] = np.clip(angles[:2], (-1.0, -0.6), (1.0, 0.6))
    turn = Rotation.from_euler("YXZ", angles).as_matrix() @ np.diag([1.0, -1.0, -1.0])
    gaze = np.clip(np.repeat(draw.normal(0.0, (0.2, 0.12))[None], 2, axis=0), -0.55, 0.55).astype(np.float32)
    gaze[:, 0] += (-0.02, 0.02)  # eyes converge on what is near
    return Motion(random_expression(seed, picture), gaze, turn, scene.head_at(person))


def _faces(each: int, seeds: Sequence[int]) -> Iterator[Arrays]:
    with closing(LandmarkNetwork(None, video=False)) as network:
        for seed in seeds:
            yield _faces_of(seed, each, network)


def _faces_of(seed: int, each: int, network: LandmarkNetwork) -> Arrays:
    """Draw the faces of one person, as rows of a shard."""
    person, draw = synthetic_person(seed), rng(seed, "expression scenes")
    near, far = np.log((0.3, 3.0))  # metres: from a selfie to a telephoto lens
    distances = np.exp(draw.uniform(near, far, each)) * person.size
    scenes = [replace(random_scene(seed * 100 + i), distance_m=float(d)) for i, d in enumerate(distances)]
    states = Motion.joined([_state(person, scene, seed, i) for i, scene in enumerate(scenes)])
    drawn = render_portraits([person], states, scenes, PICTURE_PX)
    points = drawn.landmarks[..., :2]
    detections = [scored(network, image, p) for image, p in zip(drawn.images, points, strict=True)]
    return {
        "images": np.stack(
            [face_crop(image, p, CROP_PX, STORED) for image, p in zip(drawn.images, points, strict=True)]
        ),
        "expression": states.expression.numpy(),
        "gaze": states.gaze.numpy(),
        "rotation": np.stack([seen_rotation(s, p) for s, p in zip(states, points, strict=True)]),
        "distance": (states.translation[:, 2].numpy() / person.size).astype(np.float32),
        "scores": np.stack([scores for scores, _ in detections]),
        "error": np.asarray([error for _, error in detections], np.float32),
        "person": np.full(each, seed, np.int32),
    }


def scored(
    network: LandmarkNetwork, image: NDArray[np.uint8], points: NDArray[np.floating]
) -> tuple[NDArray[np.float32], float]:
    """Blendshape scores [52], and the landmarks' error, of the face whose true landmarks [478, 2] px are known."""
    roi = Roi.around(points)
    found = network(roi.extract(image))
    if found is None:
        return np.full(len(ACTIONS), np.nan, np.float32), np.nan
    away = found.points * np.float32(roi.side) + np.asarray([roi.x0, roi.y0], np.float32) - points
    return found.blendshapes, float(np.median(np.linalg.norm(away, axis=1)) / rms_radius(points))


def seen_rotation(state: Motion, points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the rotation [3, 3] of a head in one frame as its crop shows it: about the line of sight, without roll.

    A head at the edge of a picture shows its side although it looks along the camera's axis; what a crop shows is the
    rotation relative to the line from the camera to the head.
    """
    place = state.translation[0].numpy()
    ray = place.astype(np.float64) / np.linalg.norm(place)
    axis = np.cross([0.0, 0.0, 1.0], ray)
    sine = np.linalg.norm(axis)
    to_ray = Rotation.from_rotvec(axis / max(sine, 1e-12) * np.arctan2(sine, ray[2])).as_matrix()
    linear = crop_matrix(points, CROP_PX)[:, :2]
    roll = np.arctan2(linear[1, 0], linear[0, 0])
    level = Rotation.from_euler("Z", roll).as_matrix()
    return (level @ to_ray.T @ state.rotation[0].numpy()).astype(np.float32)
