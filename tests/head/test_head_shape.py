# SPDX-License-Identifier: Apache-2.0
"""The head as a function: its derivatives are those of its values, whatever closes its lids and lips."""

from __future__ import annotations

import copy
from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor

from reenact.head.arkit import ACTIONS, index
from reenact.head.head_model import personalised
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.shape import HeadShape
from reenact.head.state import deformed

HEAD = open_head()


@lru_cache(maxsize=1)
def somebody() -> HeadShape:
    identity = np.random.default_rng(3).normal(size=HEAD.identity_size).astype(np.float32)
    return personalised(HEAD, identity)


def doing(**codes: float) -> Tensor:
    """[1, 52] codes, both sides of an action where it has two, and a little of everything else."""
    out = 0.02 * torch.rand(1, len(ACTIONS), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for name, value in codes.items():
        out[0, [i for i, a in enumerate(ACTIONS) if a in (name, f"{name}Left", f"{name}Right")]] = value
    return out


@pytest.mark.parametrize(
    "codes", [{"jawOpen": 0.6}, {"eyeBlink": 1.0, "eyeSquint": 0.7}, {"mouthSmile": 1.0, "mouthClose": 0.8}]
)
def test_derivatives_are_those_of_the_values(codes: dict[str, float]) -> None:
    shape = copy.deepcopy(somebody()).double()
    draw = torch.Generator().manual_seed(2)
    expression, gaze = doing(**codes).requires_grad_(), torch.tensor([[[0.2, -0.1], [0.15, -0.12]]]).double()
    onto = torch.randn(3, shape.neutral.numel(), generator=draw, dtype=torch.float64)
    way = torch.randn(shape.neutral.shape, generator=draw, dtype=torch.float64)
    gaze.requires_grad_()
    amount = torch.tensor([1e-4], dtype=torch.float64, requires_grad=True)

    def seen(expression: Tensor, gaze: Tensor, amount: Tensor) -> Tensor:
        return onto @ shape(expression, gaze, amount[:, None, None] * way).flatten()

    assert torch.autograd.gradcheck(seen, (expression, gaze, amount), eps=1e-7, atol=1e-4)


def test_a_batch_is_its_frames_in_either_precision() -> None:
    shape = somebody()
    codes = torch.cat([doing(jawOpen=0.6), doing(eyeBlink=1.0), doing(mouthPucker=1.0)])
    gaze = torch.zeros(3, 2, 2, dtype=torch.float64)
    exact = copy.deepcopy(shape).double()(codes, gaze)
    single = torch.cat([shape(codes[i : i + 1].float(), gaze[i : i + 1].float()) for i in range(3)])
    torch.testing.assert_close(single.double(), exact, atol=1e-6, rtol=0)
    torch.testing.assert_close(shape(codes.float(), gaze.float()), single, atol=1e-7, rtol=0)


def test_looking_moves_the_lids_and_not_the_given_look_codes() -> None:
    shape = somebody()
    codes, gaze = torch.zeros(2, len(ACTIONS)), torch.zeros(2, 2, 2)
    codes[1, index("eyeLookDownLeft")] = 1.0
    torch.testing.assert_close(*shape(codes, gaze))
    gaze[1, :, 1] = -0.4
    assert (shape(codes, gaze).diff(dim=0).abs().amax() > 0.002).item()


def test_an_offset_is_added_where_nothing_has_to_meet() -> None:
    shape, gaze = somebody(), torch.zeros(1, 2, 2)
    codes = torch.zeros(1, len(ACTIONS))
    way = torch.full((1, *shape.neutral.shape), 0.002)
    torch.testing.assert_close(shape(codes, gaze, way) - shape(codes, gaze), way, atol=1e-6, rtol=0)


def test_offsets_of_another_number_of_points_are_refused() -> None:
    motion = Motion(np.zeros(52), np.zeros((2, 2)), np.eye(3), [0, 0, 1], dynamic_offset=np.zeros((478, 3)))
    with pytest.raises(ValueError, match="dynamic_offset has 478 points; want 5376 vertices"):
        deformed(somebody(), motion)
