# SPDX-License-Identifier: Apache-2.0
"""The shipped transfer network on people it has not learnt from, and a subject that moves with it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reenact.head.arkit import ACTIONS
from reenact.head.levels import open_levels
from reenact.head.motion import Motion
from reenact.head.regions import region_ids
from reenact.head.state import deformed
from reenact.lab.synthetic.own_deformation import OwnDeformation, linear
from reenact.lab.training.data.transfer_shards import HELD_OUT_SEED, performance, still
from reenact.transfer.dynamic_offsets import ASSET, DynamicOffsets, with_own_offsets
from reenact.transfer.retarget import retarget
from reenact.transfer.subject_features import face_rows
from tests.made_motions import made_clip
from tests.transfer.made_subjects import photographed


def test_weights_are_small() -> None:
    assert ASSET.stat().st_size < 10e6


@pytest.mark.parametrize(("number", "age"), [(31, 4.0), (32, 35.0), (33, 80.0)])
def test_it_is_nearer_to_ones_own_way_than_actions_added_up(number: int, age: float) -> None:
    own = OwnDeformation.of(HELD_OUT_SEED + number, age=age)
    kept = own.neutral() - linear(own.head, still())[0]
    states = Motion.joined([performance(np.random.default_rng([number, seed]), 6) for seed in range(6)])
    truth, plain = own.shapes(states), linear(own.head, states) + kept
    face = face_rows()
    found = plain.index_add(1, face, DynamicOffsets.of(own.head, kept)(states))
    left, there = ((x - truth)[:, face].square().sum(-1).mean().sqrt() for x in (found, plain))
    assert left < 0.92 * there


def test_a_face_at_rest_stays_as_it_is() -> None:
    own = OwnDeformation.of(HELD_OUT_SEED + 34)
    assert DynamicOffsets.of(own.head)(still()).abs().max() < 1e-7


def doing(**codes: float) -> Motion:
    """Both sides of an action where it has two."""
    expression = np.zeros((1, len(ACTIONS)))
    for name, value in codes.items():
        expression[:, [a in (name, f"{name}Left", f"{name}Right") for a in ACTIONS]] = value
    return still().replace(expression=expression)


def smile() -> Motion:
    return doing(mouthSmile=0.9)


def test_a_subject_moves_by_their_detail_and_a_held_face_is_seen_as_it_is() -> None:
    subject = photographed(still())
    rest, held = Motion.joined([still()] * 3), Motion.joined([smile()] * 5)
    among = with_own_offsets(subject, Motion.joined([rest, held, rest]))
    (alone,), shapes = deformed(subject.head, with_own_offsets(subject, smile())), deformed(subject.head, among)
    torch.testing.assert_close(shapes[5], alone, atol=1e-7, rtol=0)
    torch.testing.assert_close(shapes[0], subject.head.neutral, atol=1e-7, rtol=0)
    added = (alone - deformed(subject.head, smile())[0]).norm(dim=1)
    assert 0.0001 < added.max() < 0.005
    assert added[open_levels()[0].face == 0].max() < 2e-5  # subdivision softens the face's border


def test_frames_do_not_see_each_other_across_a_cut() -> None:
    subject, shot = photographed(still()), np.asarray([0, 0, 1, 1], np.int32)
    clip = made_clip(shot, np.random.default_rng(0))
    cut = Motion.joined([still(), still(), smile(), smile()]).replace(clip=clip)
    found, alone = (with_own_offsets(subject, motion).dynamic_offset for motion in (cut, smile()))
    assert found is not None and alone is not None
    torch.testing.assert_close(found[2:], alone.repeat(2, 1, 1), atol=1e-7, rtol=0)
    assert found[:2].abs().max() < 1e-7


def test_a_retargeted_motion_is_cut_where_the_driving_one_is() -> None:
    subject, shot = photographed(still()), np.asarray([0, 0, 1, 1], np.int32)
    clip = made_clip(shot, np.random.default_rng(0))
    driving = Motion.joined([still(), still(), smile(), smile()]).replace(clip=clip)
    plain, own = (retarget(driving, subject, "absolute", detail=detail) for detail in ("none", "own"))
    for rows in (slice(0, 2), slice(2, 4)):
        alone, together = with_own_offsets(subject, plain[rows]).dynamic_offset, own.dynamic_offset
        assert alone is not None and together is not None
        torch.testing.assert_close(together[rows], alone, atol=1e-7, rtol=0)


def test_what_a_motion_does_beyond_the_actions_already_stays() -> None:
    subject = photographed(still())
    given = torch.full((1, *subject.head.neutral.shape), 0.001)
    both = with_own_offsets(subject, smile().replace(dynamic_offset=given)).dynamic_offset
    alone = with_own_offsets(subject, smile()).dynamic_offset
    assert both is not None and alone is not None
    torch.testing.assert_close(both, given + alone, atol=1e-7, rtol=0)


def test_lids_meet_as_the_actions_say() -> None:
    subject = photographed(still())
    head, state = subject.head, doing(mouthSmile=0.9, eyeBlinkLeft=1.0, eyeSquintLeft=1.0, cheekSquintLeft=1.0)
    added = (deformed(head, with_own_offsets(subject, state))[0] - deformed(head, state)[0]).norm(dim=1).numpy()
    lids = head.topology.region_vertices(*region_ids("eyelids", "eyelashes"))
    neutral = head.neutral.numpy()
    near = np.linalg.norm(neutral[:, None] - neutral[lids][None], axis=-1).min(1)
    assert added[lids].max() < 1e-6
    assert added[(near > 0.004) & (near < 0.02)].max() > 0.0001  # but the skin around them is its own
