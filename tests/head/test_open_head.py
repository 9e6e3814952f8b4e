# SPDX-License-Identifier: Apache-2.0
"""The shipped head: complete, consistent, and doing what its action names say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reenact.head.arkit import ACTIONS, index
from reenact.head.head_model import head_model, personalised
from reenact.head.open import ASSET, open_head
from reenact.head.regions import REGIONS, region_ids
from reenact.head.shape import HeadShape

HEAD = open_head()
TOP = HEAD.topology


def someone(seed: int, spread: float = 1.0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=HEAD.identity_size) * spread).float()


def gap_mm(shape: torch.Tensor, pairs: torch.Tensor) -> torch.Tensor:
    return 1e3 * (shape[pairs[:, 0]] - shape[pairs[:, 1]]).norm(dim=1)


def act(head: HeadShape, **actions: float) -> torch.Tensor:
    code = torch.zeros(1, len(ACTIONS))
    for name, value in actions.items():
        code[0, index(name)] = value
    return head.deform(code, torch.zeros(1, 2, 2))[0]


def test_asset_is_compact_and_whole() -> None:
    assert ASSET.stat().st_size <= 15e6
    assert TOP.faces.max() == len(HEAD.base_neutral) - 1
    assert {REGIONS[i] for i in np.unique(TOP.regions)} == set(REGIONS)
    assert TOP.uv.min() >= 0 and TOP.uv.max() <= 1 and TOP.uv_faces.max() == len(TOP.uv) - 1
    np.testing.assert_allclose(TOP.landmark_weights.sum(1), 1, atol=1e-5)


def test_mirror_is_a_reflection() -> None:
    assert (TOP.mirror[TOP.mirror] == torch.arange(len(TOP.mirror))).float().mean() > 0.99
    flipped = HEAD.base_neutral[TOP.mirror] * torch.tensor([-1, 1, 1])
    assert (flipped - HEAD.base_neutral).norm(dim=1).quantile(0.99) < 1e-3


@pytest.mark.parametrize("seed", range(5))
def test_every_neutral_rests_with_its_lips_shut(seed: int) -> None:
    # float16 components leave up to a few hundredths of a millimetre
    assert gap_mm(HEAD.neutral(someone(seed)), TOP.lip_contacts).max() < 0.1


def test_a_face_is_human_sized_and_upright() -> None:
    neutral, joints = HEAD.neutral(someone(1)), HEAD.joints(someone(1))
    assert 0.045 < joints.eyes[0, 0] - joints.eyes[1, 0] < 0.08
    teeth, tongue = (neutral[TOP.region_vertices(*region_ids(r))].mean(0) for r in ("teeth_upper", "tongue"))
    assert joints.eyes[0, 1] > teeth[1] > joints.neck[1] and teeth[2] > tongue[2] > joints.neck[2]


@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize(("side", "other"), [("Left", "Right"), ("Right", "Left")])
def test_a_wink_shuts_its_own_eye_only(seed: int, side: str, other: str) -> None:
    head = personalised(HEAD, someone(seed))
    is_left = head.neutral[TOP.lid_contacts[:, 0], 0] > 0
    mine, yours = (is_left, ~is_left) if side == "Left" else (~is_left, is_left)
    before = gap_mm(head.neutral, TOP.lid_contacts)
    after = gap_mm(act(head, **{f"eyeBlink{side}": 1.0}), TOP.lid_contacts)
    assert after[mine].max() < 2.5 < before[mine].max()
    np.testing.assert_allclose(after[yours], before[yours], atol=0.05)


def test_jaw_opens_downwards_and_takes_teeth_and_tongue_along() -> None:
    head = personalised(HEAD, someone(2))
    drop = (head.neutral - act(head, jawOpen=1.0))[:, 1]
    lower, upper, tongue = (drop[TOP.region_vertices(*region_ids(r))] for r in ("teeth_lower", "teeth_upper", "tongue"))
    assert lower.min() > 0.005 and upper.abs().max() < 1e-6 and tongue.mean() > 0.003
    assert gap_mm(act(head, jawOpen=1.0), TOP.lip_contacts).max() > 15


def test_gaze_turns_the_eyeball_rigidly_towards_its_side() -> None:
    head = head_model(HEAD).personalise(someone(4), adapted=False)
    gaze = torch.zeros(1, 2, 2)
    gaze[0, :, 0] = 0.3
    moved = head.deform(torch.zeros(1, len(ACTIONS)), gaze)[0].numpy()
    for eye, rows in enumerate(head.eyeballs):
        centre = head.eyes.numpy()[eye]
        radius = np.linalg.norm(head.neutral.numpy()[rows] - centre, axis=1)
        np.testing.assert_allclose(np.linalg.norm(moved[rows] - centre, axis=1), radius, atol=1e-6)
        front = rows[np.argmax(head.neutral.numpy()[rows, 2])]
        assert moved[front, 0] - head.neutral.numpy()[front, 0] > 0.002  # to the subject's left


def test_a_childs_smile_stretches_its_skin_less_than_an_adults_offsets_would() -> None:
    """The reason for deformation transfer, on the smallest face of a hundred."""
    people = [someone(s, 1.5) for s in range(100)]
    child = min(people, key=lambda p: float(HEAD.neutral(p)[TOP.region_vertices(*region_ids("lips"))].std()))
    edges = TOP.faces[TOP.region_faces(*region_ids("skin", "lips"))][:, :2]

    def worst_stretch(shape: torch.Tensor, neutral: torch.Tensor) -> float:
        def length(x: torch.Tensor) -> torch.Tensor:
            return (x[edges[:, 0]] - x[edges[:, 1]]).norm(dim=1)

        return float((length(shape) / length(neutral).clamp(min=1e-5)).quantile(0.999))

    smile = index("mouthSmileLeft")
    head, added = personalised(HEAD, child), HEAD.neutral(child) + HEAD.base_actions[smile]
    neutral, action = head.neutral, head.actions[smile]
    base = worst_stretch(HEAD.base_neutral + HEAD.base_actions[smile], HEAD.base_neutral)
    assert worst_stretch(neutral + action, neutral) < 1.15 * base
    assert worst_stretch(added, neutral) > 1.2 * base
