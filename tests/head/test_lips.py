# SPDX-License-Identifier: Apache-2.0
"""Lips touch and do not pass through one another, on anybody, whatever shuts them; parted ones are left alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reenact.head.arkit import ACTIONS
from reenact.head.head_model import personalised
from reenact.head.lids import meet_lids
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape, eyeball_vertices
from reenact.head.state import deformed

HEAD = open_head()
TOP = HEAD.topology
UPPER, LOWER = TOP.lip_contacts.numpy().T
LEVEL = np.diag([1.0, -1.0, -1.0]).astype(np.float32)


def someone(seed: int) -> HeadShape:
    rng = np.random.default_rng(seed)
    return personalised(HEAD, rng.normal(size=HEAD.identity_size).astype(np.float32))


def doing(**codes: float) -> Motion:
    """Both sides of an action where it has two."""
    expression = np.zeros(len(ACTIONS), np.float32)
    for name, value in codes.items():
        expression[[i for i, a in enumerate(ACTIONS) if a in (name, f"{name}Left", f"{name}Right")]] = value
    return Motion(expression, np.zeros((2, 2)), LEVEL, [0, 0, 1])


def gaps_mm(shape: np.ndarray) -> np.ndarray:
    return 1000.0 * (shape[UPPER, 1] - shape[LOWER, 1])


def plain(head: HeadShape, state: Motion) -> np.ndarray:
    """Its lids meet, its lips do not, and its mouth is as it was sculpted."""
    return meet_lids(head.lids, head.deform(state.expression, state.gaze))[0].numpy()


def met(head: HeadShape, state: Motion) -> np.ndarray:
    """The same with lips that meet."""
    shape = torch.from_numpy(plain(head, state))[None]
    return head.lips(shape, state.expression)[0].numpy()


CROSSED = [
    {"mouthSmile": 1.0},
    {"mouthPucker": 1.0},
    {"mouthSmile": 1.2, "mouthPress": 0.8, "mouthShrugLower": 1.0},
    {"mouthClose": 1.0},
    {"mouthClose": 0.8, "jawOpen": 0.2, "mouthRollUpper": 0.5},
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("codes", CROSSED)
def test_lips_that_would_cross_touch(seed: int, codes: dict[str, float]) -> None:
    head, state = someone(seed), doing(**codes)
    rest = np.minimum(gaps_mm(head.neutral.numpy()), 0.0)
    crossed = gaps_mm(plain(head, state)) - rest
    assert crossed.min() < -0.8
    touching = gaps_mm(deformed(head, state)[0].numpy())
    assert (touching - rest).min() > -0.3
    if "mouthClose" not in codes:  # drawn to where they touch, no farther
        assert np.abs((touching - rest)[crossed < -0.3]).max() < 0.3


def test_mouth_close_shuts_no_farther_than_the_jaw_has_opened() -> None:
    head = someone(0)
    shut = deformed(head, doing(mouthClose=1.0))[0].numpy()
    lips = TOP.region_vertices(*region_ids("lips"))
    assert np.linalg.norm(shut - head.neutral.numpy(), axis=1)[lips].max() < 0.004
    opened, closed = deformed(head, Motion.joined([doing(jawOpen=0.6), doing(jawOpen=0.6, mouthClose=0.6)])).numpy()
    middle = gaps_mm(opened) > 15.0
    assert middle.any() and np.abs(gaps_mm(closed)[middle]).max() < 0.2 * gaps_mm(opened).max()


@pytest.mark.parametrize("codes", [{"jawOpen": 0.5}, {"jawOpen": 0.7, "mouthFunnel": 0.2}, {"mouthUpperUp": 0.6}])
def test_parted_lips_are_left_alone(codes: dict[str, float]) -> None:
    head, state = someone(1), doing(**codes)
    assert np.abs(met(head, state) - plain(head, state)).max() < 2e-4


def test_only_the_skin_about_the_mouth_gives_way_and_each_lip_by_half() -> None:
    head, state = someone(2), doing(mouthPucker=1.0, mouthSmile=0.5)
    moved = met(head, state) - plain(head, state)
    assert not moved[:, [0, 2]].any()
    width = np.ptp(head.neutral.numpy()[TOP.lip_contacts.flatten().numpy(), 0])
    away = np.linalg.norm(
        head.neutral.numpy()[:, None] - head.neutral.numpy()[TOP.lip_contacts.flatten().numpy()][None], axis=2
    ).min(1)
    assert not moved[away > 0.35 * width].any()
    assert not moved[TOP.region_vertices(*region_ids("teeth_upper", "teeth_lower", "tongue", "eyelids"))].any()
    deep = np.argmin(gaps_mm(plain(head, state)))
    up, down = moved[UPPER[deep], 1], moved[LOWER[deep], 1]
    assert up > 0.0003 and down == pytest.approx(-up, rel=0.35)


def test_lips_that_rest_crossed_stay_as_they_rest() -> None:
    head = someone(0)
    neutral = head.neutral.numpy().copy()
    neutral[UPPER, 1] -= 0.001
    rest = torch.from_numpy(neutral)
    crossed = HeadShape(TOP, rest, head.actions, head.joints, head.gaze_limits, eyeball_vertices(TOP, rest))
    state = doing()
    assert np.array_equal(met(crossed, state), plain(crossed, state))
    pressed = gaps_mm(deformed(crossed, doing(mouthSmile=1.0))[0].numpy()) - gaps_mm(neutral)
    assert pressed.min() > -0.3
