# SPDX-License-Identifier: Apache-2.0
"""Shut lids touch all along, on anybody, whatever shuts them; open ones are left alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reenact.head.arkit import ACTIONS, index
from reenact.head.head_model import personalised
from reenact.head.lids import meet_lids
from reenact.head.open import open_head
from reenact.head.regions import region_ids
from reenact.head.shape import HeadShape

HEAD = open_head()
TOP = HEAD.topology
SIDES = [("Left", 1), ("Right", -1)]


def someone(seed: int) -> HeadShape:
    rng = np.random.default_rng(seed)
    return personalised(HEAD, rng.normal(size=HEAD.identity_size).astype(np.float32))


def shape(head: HeadShape, pitch: float = 0.0, **codes: float) -> np.ndarray:
    expression = torch.zeros(1, len(ACTIONS))
    for name, value in codes.items():
        expression[0, [index(f"{name}Left"), index(f"{name}Right")]] = value
    gaze = torch.tensor([0.0, pitch]).expand(1, 2, 2)
    return meet_lids(head.lids, head.deform(expression, gaze))[0].numpy()


def gaps_mm(head: HeadShape, now: np.ndarray, sign: int) -> np.ndarray:
    """Of the pairs that stand apart in the neutral, upper over lower."""
    pairs = TOP.lid_contacts[head.neutral.numpy()[TOP.lid_contacts[:, 0], 0] * sign > 0]
    at_rest = head.neutral.numpy()[pairs[:, 0], 1] - head.neutral.numpy()[pairs[:, 1], 1]
    pairs = pairs[at_rest > 0.3 * at_rest.max()]
    return 1e3 * (now[pairs[:, 0], 1] - now[pairs[:, 1], 1])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "codes", [{"eyeBlink": 1.0}, {"eyeBlink": 0.9, "eyeSquint": 0.8}, {"eyeBlink": 1.0, "eyeSquint": 1.2}]
)
def test_shut_lids_touch_all_along_and_never_cross(seed: int, codes: dict[str, float]) -> None:
    head = someone(seed)
    for _, sign in SIDES:
        np.testing.assert_allclose(gaps_mm(head, shape(head, **codes), sign), 0.0, atol=0.3)


@pytest.mark.parametrize("seed", range(3))
def test_corners_do_not_cross_either(seed: int) -> None:
    head = someone(seed)
    upper, lower = TOP.lid_contacts.T
    allowed = np.minimum(head.neutral.numpy()[upper, 1] - head.neutral.numpy()[lower, 1], 0.0)
    for codes in ({"eyeBlink": 1.0, "eyeSquint": 1.2}, {"eyeSquint": 1.2, "mouthSmile": 1.0, "cheekSquint": 1.0}):
        now = shape(head, **codes)
        assert 1e3 * (now[upper, 1] - now[lower, 1] - allowed).min() > -0.4


@pytest.mark.parametrize("seed", range(3))
def test_a_blink_of_a_half_is_left_as_it_was_sculpted(seed: int) -> None:
    head = someone(seed)
    for _, sign in SIDES:
        half = gaps_mm(head, shape(head, eyeBlink=0.5), sign)
        expected = 0.5 * (
            gaps_mm(head, head.neutral.numpy(), sign) + gaps_mm(head, head.neutral.numpy() + _blink(head), sign)
        )
        np.testing.assert_allclose(half, expected, atol=0.02)  # corners that touch give way


def _blink(head: HeadShape) -> np.ndarray:
    return head.actions.numpy()[index("eyeBlinkLeft")] + head.actions.numpy()[index("eyeBlinkRight")]


def test_contacts_are_where_a_viewer_sees_lids_meet() -> None:
    """On the lids themselves, before the eyeball, and the foremost that bounds the opening."""
    lids = TOP.region_vertices(*region_ids("eyelids")).numpy()
    neutral = HEAD.base_neutral.numpy()
    for pair in TOP.lid_contacts.numpy():
        gap = neutral[pair[0], 1] - neutral[pair[1], 1]
        if gap < 3e-3:
            continue  # corners
        assert np.isin(pair, lids).all()
        beside = lids[np.abs(neutral[lids, 0] - neutral[pair[0], 0]) < 1.2e-3]
        middle = neutral[pair, 1].mean()
        inside = (neutral[beside, 1] < neutral[pair[0], 1] - 4e-4) & (neutral[beside, 1] > middle)
        assert not (inside & (neutral[beside, 2] > neutral[pair[0], 2] - 2e-3)).any()
