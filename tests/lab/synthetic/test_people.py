# SPDX-License-Identifier: Apache-2.0
"""Synthetic people: shapes beyond the basis, folds, and mouths and eyes that shut."""

from dataclasses import replace

import numpy as np
import pytest

from reenact.head.arkit import index
from reenact.head.motion import Motion
from reenact.head.open import open_head
from reenact.head.state import deformed
from reenact.lab.synthetic import out_of_basis_offset, synthetic_person
from reenact.lab.synthetic.folds import fold_depths, fold_profiles, folds
from reenact.lab.synthetic.surface import fine_surface

FACE = open_head().topology.face_weight.numpy() > 0.5


def state(**codes: float) -> Motion:
    expression = np.zeros(52, np.float32)
    for name, value in codes.items():
        for action in (name,) if not name.endswith("_") else (f"{name[:-1]}Left", f"{name[:-1]}Right"):
            expression[index(action)] = value
    return Motion(expression, np.zeros((2, 2)), np.diag([1.0, -1.0, -1.0]), [0, 0, 1])


def test_a_seed_is_a_person_and_another_seed_another() -> None:
    one, again, other = synthetic_person(3), synthetic_person(3), synthetic_person(4)
    np.testing.assert_array_equal(one.head.neutral.numpy(), again.head.neutral.numpy())
    assert np.abs(one.head.neutral.numpy() - other.head.neutral.numpy())[FACE].max() > 2e-3


@pytest.mark.slow
def test_ages_are_spread_evenly() -> None:
    ages = np.sort([synthetic_person(seed).age for seed in range(18)])
    assert np.diff(np.r_[0.0, ages, 90.0]).max() < 15.0


def test_children_are_smaller_than_adults() -> None:
    sizes = [synthetic_person(5, age=age).size for age in (1.0, 8.0, 30.0)]
    assert sizes[0] < sizes[1] < sizes[2]


@pytest.mark.parametrize("seed", [0, 1])
def test_offset_has_its_size_and_the_basis_does_not_hold_it(seed: int) -> None:
    head = open_head()
    offset = out_of_basis_offset(seed, 0.0015)
    assert np.sqrt((offset[FACE] ** 2).sum(1).mean()) == pytest.approx(0.0015, rel=1e-3)
    basis = head.identity_basis()[1].numpy()[:, FACE].reshape(head.identity_size, -1).T
    wanted = offset[FACE].ravel()
    left = wanted - basis @ np.linalg.lstsq(basis, wanted, rcond=None)[0]
    assert np.linalg.norm(left) > 0.8 * np.linalg.norm(wanted)


def test_offset_is_partly_asymmetric() -> None:
    offset = out_of_basis_offset(2, 0.0015)
    mirrored = offset[open_head().topology.mirror] * [-1, 1, 1]
    uneven = np.linalg.norm((offset - mirrored)[FACE]) / np.linalg.norm((offset + mirrored)[FACE])
    assert 0.1 < uneven < 0.9


def test_folds_are_nothing_at_rest_and_deepen_with_action_and_age() -> None:
    even = np.ones(len(folds()), np.float32)
    codes = np.concatenate([state(mouthSmile_=a, browInnerUp=a).expression for a in (0.0, 0.5, 1.0)])
    young, old = (fold_depths(codes, age, even) for age in (20.0, 75.0))
    assert not young[0].any() and not old[0].any()
    at = [i for i, f in enumerate(folds()) if f.name.startswith(("nasolabial", "forehead"))]
    assert (young[2, at] > young[1, at]).all() and (young[1, at] > 0).all()
    assert (old[2, at] > 1.3 * young[2, at]).all()


def test_folds_bend_the_surface_where_they_are() -> None:
    person = synthetic_person(1, age=60.0)
    smooth = replace(person, fold_strength=0 * person.fold_strength)
    smile = state(mouthSmile_=1.0)
    change = (person.canonical(smile) - smooth.canonical(smile)).norm(dim=-1)[0].numpy()
    fold = np.flatnonzero([f.name == "nasolabialLeft" for f in folds()])[0]
    bottom = fold_profiles()[fold] < -0.8
    assert 0.8e-3 < change[bottom].max() < 6e-3
    assert change[fine_surface().base[:, 2] < -0.05].max() == 0.0


def test_head_vertices_come_first_on_the_fine_surface() -> None:
    np.testing.assert_array_equal(fine_surface().base[: len(FACE)], open_head().base_neutral)
    person = replace(synthetic_person(2), fold_strength=np.zeros(len(folds()), np.float32))
    open_mouth = state(jawOpen=0.5)
    np.testing.assert_array_equal(person.canonical(open_mouth)[:, : len(FACE)], deformed(person.head, open_mouth))


@pytest.mark.parametrize(("seed", "age"), [(0, 1.0), (1, 30.0), (2, 85.0)])
def test_lids_meet_at_a_blink_and_lips_at_rest(seed: int, age: float) -> None:
    top = open_head().topology
    person = synthetic_person(seed, age=age)
    motion = Motion.joined([state(eyeBlink_=1.0), state()])
    blink, rest = person.surface(motion)[:, : len(person.head.neutral)]
    lids, lips = top.lid_contacts, top.lip_contacts
    open_by = np.linalg.norm(rest[lids[:, 0]] - rest[lids[:, 1]], axis=1).max()
    assert np.linalg.norm(blink[lids[:, 0]] - blink[lids[:, 1]], axis=1).max() < 0.25 * open_by
    assert np.median(np.linalg.norm(rest[lips[:, 0]] - rest[lips[:, 1]], axis=1)) < 1e-3


def test_no_edge_is_torn() -> None:
    surface = fine_surface()
    person = synthetic_person(6, age=40.0)
    faces = surface.faces.numpy()
    states = Motion.joined([state(), state(mouthSmile_=0.9, jawOpen=0.5, cheekSquint_=0.8)])
    rest, laugh = person.canonical(states).numpy()
    edges = faces[np.isin(surface.regions, (0, 3))][:, [0, 1]]
    before, after = (np.linalg.norm(v[edges[:, 0]] - v[edges[:, 1]], axis=1) for v in (rest, laugh))
    assert (after - before).max() < 0.012
