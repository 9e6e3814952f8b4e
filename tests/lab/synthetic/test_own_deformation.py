# SPDX-License-Identifier: Apache-2.0
"""People whose own way of moving is known: what sets it apart from the 52 actions added up, and where."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from reenact.head.arkit import index
from reenact.head.levels import open_levels
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.state import deformed
from reenact.lab.synthetic.own_deformation import OwnDeformation, linear
from reenact.lab.training.data.transfer_shards import CLIPS, FRAMES, performance, prepare_subjects, still
from reenact.transfer.subject_features import face_rows

TOP = open_head().topology


def doing(**codes: float) -> Motion:
    state = still()
    expression = state.expression.clone()
    for name, value in codes.items():
        expression[:, index(name)] = value
    return state.replace(expression=expression)


SMILE = doing(mouthSmileLeft=0.9, mouthSmileRight=0.9)


def far(own: OwnDeformation, state: Motion) -> np.ndarray:
    """[W] mm between what a face does and its actions added up, folds at rest apart."""
    kept = own.neutral() - linear(own.head, still())[0]
    return 1000.0 * (own.shapes(state)[0] - linear(own.head, state)[0] - kept).norm(dim=-1).numpy()


@pytest.fixture(scope="module")
def elder() -> OwnDeformation:
    return OwnDeformation.of(930_100, age=80.0)


@pytest.fixture(scope="module")
def child() -> OwnDeformation:
    return OwnDeformation.of(930_100, age=4.0)


def test_a_face_at_rest_is_its_own_neutral(elder: OwnDeformation) -> None:
    assert elder.shapes(still())[0].numpy() == pytest.approx(elder.neutral().numpy(), abs=1e-6)


def test_an_elders_smile_folds_and_a_childs_bulges(elder: OwnDeformation, child: OwnDeformation) -> None:
    for own in (elder, child):
        mm = far(own, SMILE)
        assert mm.max() > 0.8, own.person.age
        assert mm[open_levels()[1].face == 0].max() < 0.05
    assert elder.rest_depths.max() > 0.0005 and child.rest_depths.max() == 0.0


def test_lips_and_lids_meet_as_they_did_and_a_dropped_jaw_is_no_tissue(
    elder: OwnDeformation, child: OwnDeformation
) -> None:
    lips, lids = TOP.lip_contacts, TOP.lid_contacts
    for state in (SMILE, doing(eyeBlinkLeft=1.0, eyeBlinkRight=1.0, mouthSmileLeft=1.0, mouthSmileRight=1.0)):
        own, plain = elder.control(state)[0].numpy(), deformed(elder.head, state)[0].numpy()
        for pairs in (lips, lids):
            gap, was = (1000.0 * (x[pairs[:, 0], 1] - x[pairs[:, 1], 1]) for x in (own, plain))
            assert np.abs(gap - was).max() < 0.4, state  # shut stays shut, whatever action corrections add
        assert np.linalg.norm(own - plain, axis=-1).max() > 1e-4
    without = replace(child, tissue=np.zeros_like(child.tissue))
    jaw = doing(jawOpen=0.8)  # bone is no tissue
    assert (child.control(jaw) - without.control(jaw)).abs().max() < 1e-6


def test_thick_cheeks_slide_less_than_thin_ones(elder: OwnDeformation) -> None:
    thin, thick = (replace(elder, tissue=np.full_like(elder.tissue, t) * (elder.tissue != 0)) for t in (-1.0, 1.0))
    moved = [(own.control(SMILE)[0] - elder.head.neutral).numpy() for own in (thin, thick)]
    slide = [np.linalg.norm(away[elder.tissue != 0], axis=1).mean() for away in moved]
    assert slide[0] > 1.1 * slide[1]


def test_a_shard_holds_what_a_face_does_beyond_its_actions(tmp_path: Path) -> None:
    (shard,) = prepare_subjects(tmp_path, 1, lambda *said: None, first=930_150)
    found = load_file(shard)
    assert found["codes"].shape == (1, CLIPS, FRAMES, 52)
    assert found["offsets"].shape == (1, CLIPS, FRAMES, len(face_rows()), 3)
    assert found["person"].tolist() == [930_150]
    assert 0.1 < np.abs(found["offsets"].astype(np.float32)).max() < 10.0
    stamp = shard.stat().st_mtime_ns
    assert prepare_subjects(tmp_path, 1, lambda *said: None, first=930_150) == [shard]
    assert shard.stat().st_mtime_ns == stamp


def test_performances_are_consecutive_and_bounded() -> None:
    for seed in range(6):
        states = performance(np.random.default_rng(seed), FRAMES)
        codes = states.expression
        assert codes.shape == (FRAMES, 52) and codes.min() >= 0.0 and codes.max() <= 1.2
        assert (codes[1:] - codes[:-1]).abs().max() < 0.7
