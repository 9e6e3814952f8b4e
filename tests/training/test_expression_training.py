# SPDX-License-Identifier: Apache-2.0
"""Training of the expression network: mirror images, rolled heads, shards, and exact resume."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from scipy.spatial.transform import Rotation

from reenact.data.expression_portraits import HELD_OUT_SEED, prepare_expression_portraits, random_expression
from reenact.heads.arkit import ACTIONS, index
from reenact.training.expression import (
    ExpressionTraining,
    Faces,
    rolled,
    rotation_vector,
    train_expression,
)
from reenact.training.expression_augment import MIRRORED, ExpressionTruth, disturb, mirrored
from reenact.training.loop import Run, Schedule


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("expression")
    return prepare_expression_portraits(folder, 1, 3, lambda *a: None, first=HELD_OUT_SEED)[0]


def test_a_shard_holds_faces_and_what_is_true_of_them(shard: Path) -> None:
    found = load_file(shard)
    assert found["images"].shape == (3, 160, 160, 3) and found["images"].std() > 10
    np.testing.assert_allclose(found["expression"][1], random_expression(HELD_OUT_SEED, 1), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(found["rotation"]), 1.0, atol=1e-4)
    assert (found["distance"] > 0.2).all() and (found["distance"] < 4.0).all()


def test_every_action_is_seen_often_enough() -> None:
    codes = np.stack([random_expression(7, i) for i in range(1500)])
    looks = np.asarray([a.startswith("eyeLook") for a in ACTIONS])
    assert ((codes > 0.1).mean(axis=0)[~looks] > 0.01).all()
    assert codes.min() >= 0.0 and codes.max() <= 1.0


def test_mirroring_twice_changes_nothing_and_swaps_sides() -> None:
    draw = torch.Generator().manual_seed(0)
    truth = ExpressionTruth(*(torch.randn(4, n, generator=draw) for n in (52, 3, 4, 1)))
    once, twice = mirrored(truth), mirrored(mirrored(truth))
    for name in ("codes", "rotation", "gaze", "distance"):
        torch.testing.assert_close(getattr(twice, name), getattr(truth, name))
    assert torch.equal(once.codes[:, index("browDownLeft")], truth.codes[:, index("browDownRight")])
    assert torch.equal(once.codes[:, index("jawLeft")], truth.codes[:, index("jawRight")])
    assert MIRRORED[index("jawOpen")] == index("jawOpen")
    # A head that looks to the right of its picture looks to the left of the mirror image.
    turn = torch.from_numpy(Rotation.from_euler("YXZ", [0.4, 0.2, 0.1]).as_matrix() @ np.diag([1.0, -1.0, -1.0]))
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    other = mirrored(
        ExpressionTruth(truth.codes[:1], rotation_vector(turn[None].float()), truth.gaze[:1], truth.distance[:1])
    )
    torch.testing.assert_close(other.rotation, rotation_vector((flip @ turn @ flip)[None].float()), atol=1e-5, rtol=0)


def test_a_picture_that_is_turned_turns_the_head() -> None:
    vectors = torch.from_numpy(Rotation.from_euler("YXZ", [[0.5, -0.2, 0.1], [-0.9, 0.3, 0.0]]).as_rotvec()).float()
    roll = torch.tensor([0.3, -0.4])
    wanted = [
        (Rotation.from_euler("Z", float(r)) * Rotation.from_rotvec(v.numpy())).as_rotvec()
        for v, r in zip(vectors, roll, strict=True)
    ]
    torch.testing.assert_close(rolled(vectors, roll), torch.from_numpy(np.stack(wanted)).float(), atol=1e-5, rtol=0)


def test_disturbed_pictures_say_how_far_they_were_turned() -> None:
    """A bright dot right of the middle moves to where the reported turn puts it (shift and scale apart)."""
    pictures = torch.zeros(64, 3, 64, 64)
    pictures[:, :, 31:33, 31:33] = pictures[:, :, 31:33, 51:53] = 1.0
    out, roll = disturb(pictures, 64, torch.Generator().manual_seed(3))
    angles = []
    for picture, wanted in zip(out.mean(1), roll.tolist(), strict=True):
        y, x = np.nonzero(picture.numpy() > 0.5 * float(picture.max()))
        if len(x) < 4 or np.ptp(x) < 8:
            continue
        left, right = x < x.mean(), x >= x.mean()
        if not 15 < np.hypot(y[right].mean() - y[left].mean(), x[right].mean() - x[left].mean()) < 26:
            continue  # something covers a dot
        seen = np.arctan2(y[right].mean() - y[left].mean(), x[right].mean() - x[left].mean())
        angles.append((seen, wanted))
    seen, wanted = np.asarray(angles).T
    assert len(seen) > 10 and np.corrcoef(seen, wanted)[0, 1] > 0.95


def test_a_run_that_was_stopped_ends_with_the_same_weights(shard: Path, tmp_path: Path) -> None:
    training = ExpressionTraining(Schedule(4, 1e-3, warmup=1), batch=2, photographs=0, size=64)

    def train(folder: Path, seconds: float) -> Run:
        ticks = itertools.count()
        return train_expression(
            training,
            [shard],
            [shard],
            [],
            folder,
            seconds=seconds,
            progress=lambda *a: None,
            clock=lambda: float(next(ticks)),
        )

    whole = train(tmp_path / "whole", math.inf)
    assert 0 < train(tmp_path / "parts", 3.0).step < 4
    parts = train(tmp_path / "parts", math.inf)
    assert parts.step == whole.step == 4
    assert all(torch.equal(parts.average[name], value) for name, value in whole.average.items())


def test_no_shard_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Faces([])
