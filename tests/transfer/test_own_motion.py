# SPDX-License-Identifier: Apache-2.0
"""The shipped transfer network on people it has not learnt from, and a rig that moves with it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reenact.head.arkit import ACTIONS
from reenact.head.head_model import personalised
from reenact.head.levels import open_levels
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.regions import region_ids
from reenact.head.state import deformed
from reenact.lab.synthetic.receivers import OwnDeformation, linear
from reenact.lab.training.data.transfer_shards import HELD_OUT_SEED, performance, still
from reenact.transfer.own_motion import ASSET, OwnMotion
from reenact.transfer.own_rig import OwnRig
from reenact.transfer.receiver import face_rows


def test_weights_are_small() -> None:
    assert ASSET.stat().st_size < 10e6


@pytest.mark.parametrize(("number", "age"), [(31, 4.0), (32, 35.0), (33, 80.0)])
def test_it_is_nearer_to_ones_own_way_than_actions_added_up(number: int, age: float) -> None:
    own = OwnDeformation.of(HELD_OUT_SEED + number, age=age)
    kept = own.neutral() - linear(own.rig, still())[0]
    states = Motion.joined([performance(np.random.default_rng([number, seed]), 6) for seed in range(6)])
    truth, plain = own.shapes(states), linear(own.rig, states) + kept
    found = torch.cat(list(OwnMotion.of(own.rig, kept).surfaces(states)))
    face = torch.from_numpy(face_rows())
    left, there = ((x - truth)[:, face].square().sum(-1).mean().sqrt() for x in (found, plain))
    assert left < 0.92 * there


def test_a_face_at_rest_stays_as_it_is() -> None:
    own = OwnDeformation.of(HELD_OUT_SEED + 34)
    assert OwnMotion.of(own.rig).offsets(still()).abs().max() < 1e-7


def doing(**codes: float) -> Motion:
    """Both sides of an action where it has two."""
    expression = np.zeros((1, len(ACTIONS)))
    for name, value in codes.items():
        expression[:, [a in (name, f"{name}Left", f"{name}Right") for a in ACTIONS]] = value
    return still().replace(expression=expression)


def smile() -> Motion:
    return doing(mouthSmile=0.9)


def test_a_rig_with_detail_moves_by_it_and_frames_do_not_see_each_other() -> None:
    rig = personalised(open_head(), np.zeros(open_head().identity_size, np.float32))
    own = OwnRig.of(rig)
    alone, among = deformed(own, smile())[0], deformed(own, Motion.joined([still(), smile(), still()]))
    assert among[1] == pytest.approx(alone, abs=1e-7)
    assert among[0] == pytest.approx(rig.neutral.numpy(), abs=1e-7)
    added = np.linalg.norm(alone - deformed(rig, smile())[0], axis=1)
    assert 0.0001 < added.max() < 0.005
    assert added[open_levels()[0].face == 0].max() < 2e-5  # subdivision softens the face's border


def test_lids_meet_as_the_actions_say() -> None:
    rig = personalised(open_head(), np.zeros(open_head().identity_size, np.float32))
    state = doing(mouthSmile=0.9, eyeBlinkLeft=1.0, eyeSquintLeft=1.0, cheekSquintLeft=1.0)
    added = np.linalg.norm(deformed(OwnRig.of(rig), state)[0] - deformed(rig, state)[0], axis=1)
    lids = rig.topology.region_vertices(*region_ids("eyelids", "eyelashes"))
    near = np.linalg.norm(rig.neutral.numpy()[:, None] - rig.neutral.numpy()[lids][None], axis=-1).min(1)
    assert added[lids].max() < 1e-6
    assert added[(near > 0.004) & (near < 0.02)].max() > 0.0001  # but the skin around them is its own
