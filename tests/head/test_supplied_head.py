# SPDX-License-Identifier: Apache-2.0
"""A head over a user's model file: on made-up files, where it is known what lies where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from reenact.head.arkit import ACTIONS, index
from reenact.head.closest import Surface
from reenact.head.head_model import personalised
from reenact.head.mesh import vertex_normals
from reenact.head.model_file import read_model_file
from reenact.head.open import open_head
from reenact.head.regions import REGIONS, region_ids
from reenact.head.registration import open_skin
from reenact.head.smplx import SuppliedHead, supplied_head
from reenact.head.supplied_parts import parts_of
from reenact.media import InputError
from tests.head.made_heads import SKIN, MadeHead, made_head, supplied
from tests.head.made_models import random_model

OPEN, ON = open_head(), open_skin()


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made() -> MadeHead:
    return made_head("flame")


@pytest.fixture(scope="module")
def head() -> SuppliedHead:
    return supplied()


@pytest.fixture(scope="module")
def origin(made: MadeHead) -> np.ndarray:
    """[3] of the canonical space, in the file's."""
    return (made.arrays["J_regressor"][3:5] @ made.arrays["v_template"]).mean(axis=0)


def test_closest_points_are_those_of_a_search_over_every_triangle_and_keep_to_their_side() -> None:
    rng = np.random.default_rng(0)
    vertices, faces = OPEN.base_neutral.double().numpy(), OPEN.topology.faces.numpy()[ON.in_head]
    corners = vertices[faces]
    points = vertices[ON.rows[::200]] + rng.normal(0, 0.004, (len(ON.rows[::200]), 3))
    hits = Surface(vertices, faces, turn_m=0.0).closest(points, np.zeros_like(points))
    np.testing.assert_allclose(np.einsum("nk,nkc->nc", hits.weights, corners[hits.face]), hits.points, atol=1e-12)
    steps = np.linspace(0, 1, 15)
    grid = np.asarray([(1 - a - b, a, b) for a in steps for b in steps if a + b <= 1])
    dense = np.einsum("gk,fkc->fgc", grid, corners).reshape(-1, 3)
    nearest = np.linalg.norm(points[:, None] - dense[None, ::3], axis=2).min(axis=1)
    assert (hits.distance <= nearest + 1e-9).all() and (hits.weights >= 0).all()
    # Lips at rest touch: told apart by the way they face.
    upper, lower = OPEN.topology.lip_contacts.numpy().T
    normals = vertex_normals(vertices, faces)
    skin = Surface(vertices, faces)
    for own, other in ((upper, lower), (lower, upper)):
        found = skin.closest(vertices[own], normals[own])
        assert np.mean([o in faces[f] for o, f in zip(own, found.face, strict=True)]) > 0.7
        assert np.mean([o in faces[f] for o, f in zip(other, found.face, strict=True)]) < 0.2


def test_landmarks_lie_where_they_do_on_the_person(head: SuppliedHead, made: MadeHead, origin: np.ndarray) -> None:
    top = OPEN.topology
    vertices, mark_weights = top.landmark_vertices.numpy(), top.landmark_weights.numpy()
    known = np.asarray(np.isin(vertices, ON.rows).all(axis=1))
    corners = made.truth[ON.local(vertices[known])]
    truth = np.einsum("lkc,lk->lc", corners, mark_weights[known]) - origin
    found = head.topology.at_landmarks(head.base_neutral).numpy()
    error = 1e3 * np.linalg.norm(found[known] - truth, axis=1)
    # The base adult, whom the head would be without having looked, is as far off as that.
    plain = 1e3 * np.linalg.norm(top.at_landmarks(OPEN.base_neutral).numpy()[known] - truth, axis=1)
    assert np.median(error) < 1.5 and np.quantile(error, 0.9) < 3.5 and np.median(plain) > 8
    iris = found[[473, 468]]
    eyes = head.joints(torch.zeros(300)).eyes.numpy()
    np.testing.assert_allclose(iris - eyes, [[0, 0, 0.0148]] * 2, atol=5e-4)


def test_regions_are_the_persons(head: SuppliedHead, made: MadeHead) -> None:
    top = head.topology
    assert (len(head.base_neutral), len(top.faces)) == (5023, 9976)
    truth = np.full(5023, -1)
    parent = np.asarray(abs(made.mix).argmax(axis=1)).ravel()  # the open head's vertex that counts most
    names = {i: region_ids(n) for i, n in enumerate(REGIONS)}
    own = {i: np.isin(ON.rows, OPEN.topology.region_vertices(*ids))[parent] for i, ids in names.items()}
    right = [
        own[int(r)][f].any() for f, r in zip(top.faces.numpy(), top.regions.numpy(), strict=True) if (f < SKIN).all()
    ]
    assert np.mean(right) > 0.93
    balls = top.region_vertices(*region_ids("sclera", "iris"))
    assert (truth[balls] == -1).all()
    np.testing.assert_array_equal(balls, np.arange(SKIN, 5023))


def test_mesh_facts_are_consistent(head: SuppliedHead) -> None:
    top = head.topology
    np.testing.assert_allclose(top.landmark_weights.sum(1), 1, atol=1e-5)
    assert top.uv.min() >= 0 and top.uv.max() <= 1 and top.uv_faces.max() == len(top.uv) - 1
    assert top.uv_faces.shape == top.faces.shape
    assert (
        top.face_weight.min() >= 0
        and top.face_weight.max() == 1
        and 0 <= top.head_weight.min() < top.head_weight.max() == 1
    )
    for pairs in (top.lip_contacts, top.lid_contacts):
        assert len(pairs) >= 6 and len(pairs.unique()) == pairs.numel()
        assert (head.base_neutral[pairs[:, 0], 1] - head.base_neutral[pairs[:, 1], 1] > -1e-3).all()
    # A texture of the open head fits: the same place has the same coordinates.
    corner = top.landmark_vertices[1], OPEN.topology.landmark_vertices[1]
    tip = [
        t.uv[t.uv_faces[torch.isin(t.faces, c)].unique()].mean(0)
        for t, c in zip((top, OPEN.topology), corner, strict=True)
    ]
    np.testing.assert_allclose(tip[0], tip[1], atol=0.01)


def test_identity_is_the_models_own_with_each_persons_eyes_at_the_origin(head: SuppliedHead) -> None:
    who = torch.from_numpy(np.random.default_rng(0).normal(size=300)).float()
    vertices, joints = head.skinned(who[None], torch.zeros(1, 100), {})
    middle = joints[0, 3:5].mean(dim=0).numpy()
    np.testing.assert_allclose(head.neutral(who), vertices[0].numpy() - middle, atol=1e-5)
    np.testing.assert_allclose(head.joints(who).eyes, joints[0, 3:5].numpy() - middle, atol=1e-5)
    some = torch.tensor([5, 4000])
    mean, basis = head.identity_basis(some)
    torch.testing.assert_close(mean + torch.tensordot(who, basis, 1), head.neutral(who)[some], atol=1e-5, rtol=0)


def test_actions_are_the_models_own_motion(head: SuppliedHead) -> None:
    for name in ("jawOpen", "mouthSmileLeft", "browInnerUp"):
        code = torch.zeros(1, len(ACTIONS))
        code[0, index(name)] = 1.0
        psi, omega = head.coefficients(code)
        moved = (
            head.skinned(torch.zeros(1, 300), psi, {"jaw": omega})[0]
            - head.skinned(torch.zeros(1, 300), 0 * psi, {})[0]
        )
        face = (head.topology.face_weight > 0.5) & (torch.arange(5023) < SKIN)
        torch.testing.assert_close(head.base_actions[index(name)][face], moved[0][face], atol=5e-5, rtol=0)
    still = head.base_actions.abs().amax((0, 2)).numpy() == 0
    assert still[SKIN:].all() and 0.05 < still[:SKIN].mean() < 0.7


def test_actions_do_what_their_names_say(head: SuppliedHead, made: MadeHead) -> None:
    own, true = head.base_actions[:, :SKIN].numpy(), made.actions
    acts = np.linalg.norm(true, axis=2) > 5e-4
    lost = [float(((own[i] - true[i])[m] ** 2).sum() / (true[i][m] ** 2).sum()) for i, m in enumerate(acts) if m.any()]
    assert np.median(np.sqrt(lost)) < 0.35
    turned = head.coefficients(torch.eye(52))[1].numpy()
    assert turned[index("jawOpen"), 0] > 0.25  # about x, to the subject's left: the chin goes down
    assert (np.delete(turned, [index(f"jaw{d}") for d in ("Open", "Left", "Right", "Forward")], axis=0) == 0).all()
    top, rest = head.topology, head.base_neutral

    def gap(pairs: torch.Tensor, shape: torch.Tensor) -> torch.Tensor:
        return 1e3 * (shape[pairs[:, 0], 1] - shape[pairs[:, 1], 1])

    opened = gap(top.lip_contacts, rest + head.base_actions[index("jawOpen")])
    assert opened.max() > 15 and gap(top.lip_contacts, rest).max() < 4
    left = top.lid_contacts[rest[top.lid_contacts[:, 0], 0] > 0]
    shut = gap(left, rest + head.base_actions[index("eyeBlinkLeft")])
    wide = gap(left, rest) > 0.5 * gap(left, rest).max()
    assert shut[wide].abs().mean() < 0.25 * gap(left, rest)[wide].mean()


def test_the_head_of_somebody_is_made_as_of_the_open_head(head: SuppliedHead) -> None:
    own = personalised(head, np.random.default_rng(1).normal(size=300).astype(np.float32))
    gaze = torch.full((1, 2, 2), 0.2)
    codes = torch.zeros(1, len(ACTIONS))
    codes[0, index("mouthSmileLeft")] = 1.0
    moved = own.deform(codes, gaze)[0].numpy()
    for eye, rows in enumerate(own.eyeballs):
        radius = (np.linalg.norm(shape[rows] - own.eyes.numpy()[eye], axis=1) for shape in (moved, own.neutral.numpy()))
        np.testing.assert_allclose(*radius, atol=1e-6)
    assert np.isfinite(moved).all() and np.abs(moved - own.neutral.numpy())[:SKIN].max() > 0.005


def test_only_the_head_is_cut_out_of_a_body(tmp_path: Path) -> None:
    made = made_head("smplx")
    np.savez(tmp_path / "body.npz", **made.arrays)  # pyright: ignore[reportArgumentType]
    parts = parts_of(read_model_file(tmp_path / "body.npz"))
    assert np.isin(made.skin[made.arrays["weights"][made.skin, 0] < 0.9], parts.rows).mean() > 0.99
    assert parts.rows.min() >= 10475 - SKIN - 2 * 546 and len(parts.eyeballs[0]) == len(parts.eyeballs[1]) == 546
    np.testing.assert_allclose(parts.eyes.mean(axis=0), 0, atol=1e-6)
    assert (parts.neutral[parts.eyeballs[0], 0] > 0).all()


def test_what_is_no_face_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "random.npz", **random_model("flame"))  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputError, match="mm off a human head"):
        supplied_head(tmp_path / "random.npz")
