# SPDX-License-Identifier: Apache-2.0
"""Motions to test with, and comparisons of them."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reenact.head.arkit import ACTIONS
from reenact.head.motion import Clip, Motion
from reenact.head.open import open_head
from reenact.head.subject import Subject
from reenact.tracking import tracked_subject

LOOKS = np.asarray([action.startswith("eyeLook") for action in ACTIONS])


def made_clip(shot: np.ndarray, rng: np.random.Generator) -> Clip:
    """Any clip with frames in these shots [F]."""
    frames, shots = len(shot), int(shot[-1]) + 1
    return Clip(
        source="made.mp4",
        width=640,
        height=360,
        head="reenact-open-head-1",
        frame=torch.arange(frames, dtype=torch.int32),
        shot=torch.from_numpy(shot.astype(np.int32)),
        seen=torch.from_numpy(rng.random(frames) > 0.2),
        residual_px=torch.from_numpy(rng.random(frames, np.float32)),
        identity=torch.from_numpy(rng.normal(size=(shots, 140)).astype(np.float32)),
        focal_px=torch.linspace(800, 900, shots),
        face_size_m=torch.linspace(0.04, 0.03, shots),
        placement=torch.from_numpy(rng.normal(size=(shots, 478, 3)).astype(np.float32)),
    )


def made_motion(frames: int = 7, shots: int = 2, fps: Fraction = Fraction(25), *, offsets: bool = False) -> Motion:
    """Any motion, with a clip."""
    rng = np.random.default_rng(0)
    return Motion(
        rng.random((frames, 52), np.float32) * ~LOOKS,
        rng.random((frames, 2, 2), np.float32),
        np.tile(np.eye(3), (frames, 1, 1)),
        rng.random((frames, 3), np.float32),
        rng.normal(0, 1e-3, (frames, 478, 3)) if offsets else None,
        fps=fps,
        clip=made_clip(np.arange(frames) * shots // frames, rng),
    )


def with_clip(motion: Motion, **changes: Any) -> Motion:
    """The motion with other values in its clip; arrays become tensors."""
    tensors = {name: torch.from_numpy(x) if isinstance(x, np.ndarray) else x for name, x in changes.items()}
    return motion.replace(clip=dataclasses.replace(motion.require_clip(), **tensors))


def assert_same(found: Motion, wanted: Motion, *, atol: float = 0.0, but: tuple[str, ...] = ()) -> None:
    """Every field of the motions and of their clips but those of `but` is alike."""
    _compare(found, wanted, atol, ("clip", *but))
    assert (found.clip is None) == (wanted.clip is None)
    if found.clip is not None and wanted.clip is not None:
        _compare(found.clip, wanted.clip, atol, but)


def _compare(found: Motion | Clip, wanted: Motion | Clip, atol: float, but: tuple[str, ...]) -> None:
    for field in dataclasses.fields(found):
        if field.name in but:
            continue
        a, b = getattr(found, field.name), getattr(wanted, field.name)
        if isinstance(a, Tensor):
            assert a.dtype == b.dtype, field.name
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=0, atol=atol, err_msg=field.name)
        else:
            assert a == b, field.name


def made_subject(
    motion: Motion,
    static_offset: np.ndarray | None = None,
    fine_offset: np.ndarray | None = None,
    texture: np.ndarray | None = None,
) -> Subject:
    """The open head's subject of a tracked motion, which they keep; offsets are zeros where none are given."""
    subject = tracked_subject(open_head(), motion)
    control, fit, _ = subject.levels
    static = np.zeros((len(control), 3)) if static_offset is None else static_offset
    fine = np.zeros((len(fit), 3)) if fine_offset is None else fine_offset
    return subject.replace(
        static_offset=torch.from_numpy(static.astype(np.float32)),
        fine_offset=torch.from_numpy(fine.astype(np.float32)),
        texture=None if texture is None else torch.from_numpy(texture),
        motion=motion,
    )
