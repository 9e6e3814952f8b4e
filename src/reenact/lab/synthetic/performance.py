# SPDX-License-Identifier: Apache-2.0
"""Motions that anybody can perform: synthetic from a seed, or read from a motion file.

A performance says what is done, not by whom: it is the motion of a head of the base adult's size, whose usual place is
the origin. Each person gives it with their own actions (`HeadModel.personalise`), in the place where a scene puts them.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from reenact.head.arkit import ACTIONS, index
from reenact.head.landmarks import LANDMARKS
from reenact.head.mesh import rms_radius
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.subject import Subject
from reenact.rendering import Camera
from reenact.tracking import clip_of

from .noise import rng
from .people import SyntheticPerson
from .scene import Scene

_FPS = 25  # of a performance from a seed
_LEVEL = np.diag([1.0, -1.0, -1.0])  # of a head that looks straight at the camera

# Mouth shapes of speech: what one syllable may do, each with how much.
_VISEMES: tuple[dict[str, float], ...] = (
    {"jawOpen": 0.55, "mouthLowerDown": 0.25, "mouthUpperUp": 0.15},
    {"jawOpen": 0.25, "mouthStretch": 0.35, "mouthUpperUp": 0.15},
    {"jawOpen": 0.30, "mouthFunnel": 0.55},
    {"jawOpen": 0.12, "mouthPucker": 0.65},
    {"mouthPress": 0.45, "mouthRollLower": 0.30, "mouthRollUpper": 0.25},
    {"jawOpen": 0.10, "mouthRollLower": 0.45, "mouthUpperUp": 0.2},
    {"jawOpen": 0.35, "mouthLowerDown": 0.35, "mouthDimple": 0.2},
)
# Faces that are made: lasting, now and then, nearly even on both sides.
_MOODS: tuple[dict[str, float], ...] = (
    {"mouthSmile": 0.8, "cheekSquint": 0.5, "eyeSquint": 0.3},
    {"mouthSmile": 0.95, "cheekSquint": 0.7, "mouthUpperUp": 0.4, "jawOpen": 0.25, "eyeSquint": 0.4},
    {"browInnerUp": 0.9, "browOuterUp": 0.9, "eyeWide": 0.6, "jawOpen": 0.35},
    {"browDown": 0.9, "eyeSquint": 0.5, "mouthPress": 0.4, "noseSneer": 0.3},
    {"mouthFrown": 0.8, "browInnerUp": 0.6, "mouthShrugLower": 0.5},
    {"noseSneer": 0.8, "browDown": 0.5, "mouthUpperUp": 0.5},
    {"browInnerUp": 0.8, "browOuterUp": 0.4},
    {"mouthPucker": 0.8},
    {"cheekPuff": 0.7, "mouthPress": 0.3},
)


def performed_by(performance: Motion, person: SyntheticPerson, scene: Scene) -> Motion:
    """Give a performance as a person in front of a scene's camera."""
    place = torch.from_numpy(scene.head_at(person))
    return performance.replace(translation=place + person.size * performance.translation)


def as_tracked(performance: Motion, source: str = "made-up") -> Motion:
    """Give a performance as the tracker would have left it of the mean head. source: a name for it."""
    head = open_head()
    camera = Camera(900.0, 256.0, 256.0, 512, 512)  # 0.9 m away
    mean = Subject(head, torch.zeros(head.identity_size), camera, torch.zeros(LANDMARKS, 3))
    clip = clip_of([mean], source, len(performance))
    return performance.replace(translation=performance.translation + torch.tensor([0.0, 0.0, 0.9]), clip=clip)


def performance_of_track(motion: Motion) -> Motion:
    """Read a performance off a tracked motion: the head's way is counted from its middle place and in its own size."""
    head, clip = open_head(), motion.require_clip()
    base = head.topology.at_landmarks(head.base_neutral).numpy()
    size = rms_radius(base)
    place = motion.translation.numpy()
    scale = size / clip.face_size_m.numpy()[clip.shot.numpy()]
    away = (place - np.median(place, axis=0)) * scale[:, None]
    return motion.replace(translation=away, landmark_offset=None, dynamic_offset=None, clip=None)


def synthetic_motion(seed: int, frames: int) -> Motion:
    """Make the performance of a seed: speech, moods, blinks, glances and a head that is never quite still."""
    if frames < 1:
        raise ValueError(f"got {frames} frames; want at least one")
    draw = rng(seed, "performance")
    time = np.arange(frames) / _FPS
    codes = np.zeros((frames, len(ACTIONS)))
    _speak(draw, time, codes)
    _feel(draw, time, codes)
    glance = _glances(draw, time)
    _blink(draw, time, codes, glance)
    # Lips that are drawn back or pushed out on top of a mood would tear: the whole stays within one full mouth.
    mouth = np.asarray([a.startswith("mouth") and a != "mouthClose" for a in ACTIONS])
    total = codes[:, mouth].sum(axis=1, keepdims=True)
    codes[:, mouth] *= np.minimum(1.0, 3.0 / np.maximum(total, 1e-6))
    sway = np.stack([_drift(draw, time, 2.2, s) for s in (0.16, 0.09, 0.05)], axis=1)
    nod = _bumps(time, draw, rate=0.35, width=(0.25, 0.5)) * draw.normal(0, 0.10)
    angles = sway * draw.uniform(0.5, 2.2) + np.stack([draw.normal(0, 0.15) + 0 * nod, nod, 0 * nod], axis=1)
    turn = Rotation.from_euler("YXZ", np.clip(angles, -0.75, 0.75)).as_matrix()
    way = np.stack([_drift(draw, time, 3.0, s) for s in (0.012, 0.006, 0.014)], axis=1)
    gaze = np.repeat(glance[:, None], 2, axis=1)
    # Eyes keep to what they look at while the head turns.
    gaze[..., 0] -= 0.5 * angles[:, None, 0]
    gaze = np.clip(gaze, -0.5, 0.5)
    gaze[:, 0, 0] -= 0.02
    gaze[:, 1, 0] += 0.02
    return Motion(np.clip(codes, 0.0, 1.0), gaze, turn @ _LEVEL, way, fps=Fraction(_FPS))


def _speak(draw: np.random.Generator, time: NDArray, codes: NDArray) -> None:
    """Add syllables, in phrases with pauses between them."""
    at, loud = float(draw.uniform(-0.5, 1.0)), draw.uniform(0.5, 1.1)
    while at < time[-1] + 0.5:
        if draw.random() < 0.6:  # brows stress a word
            raised = {"browInnerUp": 0.7, "browOuterUp": 0.5, "eyeWide": 0.15}
            _add(codes, raised, draw.uniform(0.3, 1.0) * _bump(time, at + draw.uniform(0, 0.8), 0.3), 0.0, draw)
        for _ in range(draw.integers(3, 14)):
            shape = _VISEMES[draw.integers(len(_VISEMES))]
            _add(codes, shape, loud * draw.uniform(0.5, 1.15) * _bump(time, at, draw.uniform(0.08, 0.16)), 0.0, draw)
            at += draw.uniform(0.12, 0.26)
        at += draw.exponential(0.9)


def _feel(draw: np.random.Generator, time: NDArray, codes: NDArray) -> None:
    at = float(draw.exponential(0.6))
    while at < time[-1] + 0.5:
        length = draw.uniform(0.35, 1.4)
        mood = _MOODS[draw.integers(len(_MOODS))]
        _add(codes, mood, draw.uniform(0.5, 1.1) * _bump(time, at, length), draw.normal(0, 0.18), draw)
        at += length + draw.exponential(1.0)


def _blink(draw: np.random.Generator, time: NDArray, codes: NDArray, glance: NDArray) -> None:
    """Add blinks every few seconds, and with large movements of gaze."""
    jumps = np.flatnonzero(np.abs(np.diff(glance, axis=0)).sum(1) > 0.05) if len(time) > 1 else np.zeros(0, int)
    moments = [float(time[j]) for j in jumps if draw.random() < 0.5]
    at = float(draw.exponential(1.5))
    while at < time[-1] + 0.2:
        moments.append(at)
        at += 0.4 + draw.exponential(2.5)
    lids = np.zeros(len(time))
    for moment in moments:
        lids = np.maximum(lids, _bump(time, moment, draw.uniform(0.07, 0.12)) ** 0.6)
    for side in ("Left", "Right"):
        codes[:, index(f"eyeBlink{side}")] = np.maximum(codes[:, index(f"eyeBlink{side}")], lids)


def _glances(draw: np.random.Generator, time: NDArray) -> NDArray:
    """Return yaw and pitch [F, 2] of eyes that jump, then rest."""
    out = np.zeros((len(time), 2))
    at, here = 0.0, draw.normal(0, (0.08, 0.04))
    while at <= time[-1]:
        out[time >= at] = here
        at += 0.25 + draw.exponential(0.9)
        here = draw.normal(0, (0.16, 0.08)) if draw.random() < 0.6 else draw.normal(0, 0.03, 2)
    return out


def _add(codes: NDArray, shape: dict[str, float], course: NDArray, lean: float, draw: np.random.Generator) -> None:
    """Add actions along a course [F]; names without a side act on both, `lean` more on the left."""
    for name, amount in shape.items():
        if name in ACTIONS:
            codes[:, index(name)] += amount * course
            continue
        own = lean + draw.normal(0, 0.06)
        codes[:, index(f"{name}Left")] += amount * course * (1.0 + own)
        codes[:, index(f"{name}Right")] += amount * course * (1.0 - own)


def _bump(time: NDArray, middle: float, half: float) -> NDArray:
    """Return a smooth bump [F]: 1 at its middle, 0 beyond `half` seconds on either side."""
    t = np.clip(np.abs(time - middle) / half, 0.0, 1.0)
    return (1.0 - t**2) ** 2


def _bumps(time: NDArray, draw: np.random.Generator, rate: float, width: tuple[float, float]) -> NDArray:
    out, at = np.zeros(len(time)), float(draw.exponential(1 / rate))
    while at < time[-1] + 0.5:
        out += _bump(time, at, draw.uniform(*width)) * draw.choice([-1.0, 1.0])
        at += draw.exponential(1 / rate)
    return out


def _drift(draw: np.random.Generator, time: NDArray, period: float, size: float) -> NDArray:
    """Return a slow, never repeating sway [F] of standard deviation about `size`."""
    out = np.zeros(len(time))
    for octave in range(3):
        rate = 2 * np.pi / period * 1.7**octave * draw.uniform(0.8, 1.25)
        out += 0.6**octave * np.sin(rate * time + draw.uniform(0, 2 * np.pi))
    return size * out
