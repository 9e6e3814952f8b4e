# SPDX-License-Identifier: Apache-2.0
"""The joint fit of static and dynamic offsets, by gradient through the rasteriser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import torch
from torch import Tensor

from reenact.tracking import Progress

from .energy import Energy, Rasterised, Weights, never_at_rest, regularity
from .observation import Observation
from .offsets import Offsets

Moves = Literal["identity", "static_coarse", "static_fine", "dynamic_field", "rotation", "translation", "log_distance"]


@dataclass(frozen=True)
class Stage:
    """Some steps of Adam over frames drawn in turn."""

    moves: tuple[Moves, ...]
    steps: int
    batch: int
    rate: float
    """Of the offset fields, metres of the base adult's head; poses move at 3 times as many radians."""
    weights: Weights


_POSE: Final = ("rotation", "translation")
PERSON: Final[tuple[Stage, ...]] = (
    Stage(("identity", *_POSE, "log_distance"), 60, 6, 4e-4, Weights()),
    Stage(("identity", "static_coarse", *_POSE, "log_distance"), 40, 6, 3e-4, Weights()),
    Stage(("identity", "static_coarse", "static_fine", "dynamic_field", *_POSE), 60, 6, 4e-4, Weights()),
)
"""Key frames: who it is, with what they do in those frames set apart. What is large is found first, noses and chins are
then drawn out of it."""

PHOTO: Final[tuple[Stage, ...]] = tuple(replace(stage, steps=round(0.6 * stage.steps)) for stage in PERSON)
"""A single picture, which every step sees: normals of twelve err by 18.2 degrees, as after all steps."""

FRAMES: Final[Stage] = Stage(("dynamic_field", *_POSE), 12, 8, 4e-4, Weights(outline=0.0))
"""Every frame, in chunks: what is done. `batch` frames at once, the chunk before fixed."""

KEY_FRAMES: Final = 24
RASTERISED_FOR: Final = 3
"""Times that a batch is stepped before it is found anew which triangle each of its pixels shows."""

_FASTER = {"rotation": 3.0, "log_distance": 40.0, "identity": 120.0}
"""Angles, the logarithm of a distance and coefficients of unit variance are not lengths."""


def fit_stages(offsets: Offsets, observation: Observation, stages: Sequence[Stage], progress: Progress) -> None:
    """Move the offsets of the F observed frames through the stages."""
    cost = never_at_rest(offsets, observation)
    energy = Energy(offsets.subject.model.topology, offsets.levels[1], observation.normals.shape[1])
    total, done = sum(s.steps for s in stages), 0
    for stage in stages:
        optimiser = torch.optim.Adam(
            [{"params": [getattr(offsets, name)], "lr": stage.rate * _FASTER.get(name, 1.0)} for name in stage.moves],
            betas=(0.8, 0.95),
        )
        rasterised: dict[tuple[int, ...], tuple[int, Rasterised]] = {}
        for step in range(stage.steps):
            rows = _batch_rows(len(observation), stage.batch, step)
            part = observation.rows(rows)
            for group in optimiser.param_groups:
                group["lr"] *= 0.98
            static, dynamic = offsets.static(), offsets.dynamic(rows)
            posed = offsets.posed(part, rows, static, dynamic)
            key = tuple(rows.tolist())
            if key not in rasterised or rasterised[key][0] == RASTERISED_FOR:
                rasterised[key] = (0, energy.rasterise(posed, part))
            rasterised[key] = (rasterised[key][0] + 1, rasterised[key][1])
            terms = energy.terms(posed, part, rasterised[key][1]) | regularity(offsets, rows, static, dynamic, cost)
            loss = _weighted(terms, stage)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            done += 1
            progress("fitting the head", done, total)


def _weighted(terms: dict[str, Tensor], stage: Stage) -> Tensor:
    """The sum that is minimised."""
    return torch.stack([getattr(stage.weights, name) * value for name, value in terms.items()]).sum()


def _batch_rows(frames: int, batch: int, step: int) -> Tensor:
    """Rows of a step: every frame in turn, spread over the clip."""
    if frames <= batch:
        return torch.arange(frames)
    groups = -(-frames // batch)
    return torch.arange(step % groups, frames, groups)
