# SPDX-License-Identifier: Apache-2.0
"""What the dense network is taught: losses least at the truth, disturbances that keep truth and picture together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from reenact.lab.synthetic import random_scene, synthetic_person
from reenact.lab.training.data.portraits import HELD_OUT_SEED, poses, prepare_portraits, relative_depth
from reenact.lab.training.dense import held_out_scores, train_dense
from reenact.lab.training.dense_augment import augment, face_windows
from reenact.lab.training.dense_loss import UNKNOWN, DenseTruth, dense_losses, dense_scores
from reenact.lab.training.loop import RunOptions, Schedule, seeded
from reenact.lab.training.shards import ShardRows
from reenact.media import InputError
from reenact.perception.dense.network import CLASSES, DenseNet, DenseOutput

SIDE = 64


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("portraits")
    return prepare_portraits(folder, 2, 2, SIDE, lambda *a: None, first=HELD_OUT_SEED)


def ball(n: int = 1) -> tuple[torch.Tensor, DenseTruth]:
    """A picture whose red and green tell the normal of a ball, off the middle; classes tell its halves."""
    line = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    y, x = torch.meshgrid(line - 0.1, line + 0.15, indexing="ij")
    inside = x**2 + y**2 < 0.3
    z = -torch.sqrt((0.3 - x**2 - y**2).clamp(min=0.0))
    normals = torch.stack([x, y, z]) / 0.3**0.5 * inside
    picture = torch.stack([0.5 + 0.5 * normals[0], 0.5 + 0.5 * normals[1], inside.float()])
    classes = torch.where(inside, CLASSES.index("skin"), 0)
    depth = z * 0.5 * inside
    depths, labels, certainty = (values[None].repeat(n, 1, 1) for values in (depth, classes, torch.ones_like(depth)))
    truth = DenseTruth(normals[None].repeat(n, 1, 1, 1), depths, labels, certainty, torch.ones(n).bool())
    return picture[None].repeat(n, 1, 1, 1), truth


def perfect(truth: DenseTruth, kappa: float = 50.0) -> DenseOutput:
    logits = 20.0 * torch.nn.functional.one_hot(truth.classes, len(CLASSES)).permute(0, 3, 1, 2).float()
    up = torch.tensor([0.0, 0.0, -1.0])[:, None, None]
    normals = torch.where((truth.classes > 0)[:, None], truth.normals, up)
    return DenseOutput(normals, torch.full_like(truth.depth, kappa), truth.depth + 0.3, logits)


def test_the_truth_costs_least_and_depth_may_shift() -> None:
    _, truth = ball(2)
    best = dense_losses(perfect(truth), truth)
    assert best["degrees"] < 0.1 and best["depth"] < 1e-6 and best["slope"] < 1e-6 and best["classes"] < 1e-3
    out = perfect(truth)
    turned = DenseOutput(out.normals.roll(3, -1), out.kappa, 1.3 * out.depth, out.logits.roll(5, -2))
    worse = dense_losses(turned, truth)
    assert all(worse[name] > best[name] for name in best)
    scores = dense_scores(out, truth)
    assert scores["face_degrees_mean"].max() < 0.1 and scores["head_iou"].min() == 1.0
    assert scores["face_depth_percent"].max() < 1e-3


def test_certainty_pays_only_where_it_is_right() -> None:
    _, truth = ball()
    off = torch.nn.functional.normalize(truth.normals + torch.tensor([0.4, 0.0, 0.0])[:, None, None], dim=1)

    def cost(normals: torch.Tensor, kappa: float) -> float:
        out = perfect(truth, kappa)
        return float(dense_losses(out._replace(normals=normals), truth)["normal"])

    assert cost(perfect(truth).normals, 50.0) < cost(perfect(truth).normals, 5.0)
    assert cost(off, 50.0) > cost(off, 5.0)


def test_pseudo_labels_count_as_much_as_they_are_worth_and_teach_no_certainty() -> None:
    _, truth = ball()
    half = torch.arange(SIDE) < SIDE // 2
    certainty = truth.certainty * half
    pseudo = truth.replace(
        certainty=certainty, classes=torch.where(half, truth.classes, UNKNOWN), exact=torch.zeros(1).bool()
    )

    def losses(where: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Of normals, depth and classes that are wrong in some columns; and the gradient of the certainty."""
        out, kappa = perfect(truth), torch.full_like(truth.depth, 20.0).requires_grad_()
        off = torch.nn.functional.normalize(out.normals + torch.tensor([0.4, 0.0, 0.0])[:, None, None], dim=1)
        logits = torch.where(where, out.logits.flip(1), out.logits)
        wrong = DenseOutput(torch.where(where, off, out.normals), kappa, out.depth * (1.0 + 0.3 * where), logits)
        found = dense_losses(wrong, pseudo)
        gradient = torch.autograd.grad(found["normal"], kappa, allow_unused=True)[0]
        return found, torch.zeros(1) if gradient is None else gradient

    right, gradient = losses(torch.zeros(SIDE).bool())
    assert not gradient.any()
    unlabelled, labelled = losses(~half)[0], losses(half)[0]
    for name in ("degrees", "depth", "classes"):
        assert float(unlabelled[name]) == pytest.approx(float(right[name]), abs=1e-6)
        assert labelled[name] > right[name] + 0.01


def test_disturbed_truth_stays_with_its_picture() -> None:
    """Mirrored, tilted and zoomed, the ball's normals still follow from where they are on the ball."""
    pictures, truth = ball(24)
    _, new = augment(pictures, truth, torch.Generator().manual_seed(1))
    for i in range(24):
        on = new.classes[i] > 0
        if on.sum() < 200:
            continue
        rows, columns = torch.nonzero(on, as_tuple=True)
        x, y = columns.float(), rows.float()
        n = new.normals[i][:, on]
        assert torch.allclose(n.norm(dim=0), torch.ones(n.shape[1]), atol=1e-3)
        # On a ball, x is linear in the normal's x, whatever part of it is covered, with one radius for both axes.
        slopes = []
        for place, part in ((x, n[0]), (y, n[1])):
            p, q = place - place.mean(), part - part.mean()
            slope = float((p * q).sum() / (q * q).sum())
            assert float((p - slope * q).abs().mean()) < 1.0
            slopes.append(slope)
        radius = sum(slopes) / 2
        assert radius == pytest.approx(slopes[0], rel=0.08) and radius > 10
        # And depth grows with the ball: it was half as deep as it is round.
        d, nz = new.depth[i][on], n[2] - n[2].mean()
        assert float((d * nz).sum() / (nz * nz).sum()) == pytest.approx(0.5 * radius / (SIDE / 2), rel=0.06)


def test_windows_hold_faces_and_their_truth() -> None:
    pictures, truth = ball(6)
    drawn, cut = face_windows(pictures, truth, 32, torch.Generator().manual_seed(2))
    assert drawn.shape == (6, 3, 32, 32) and cut.normals.shape == (6, 3, 32, 32) and cut.depth.shape == (6, 32, 32)
    face = cut.classes > 0
    assert face.float().mean() > 1.3 * (truth.classes > 0).float().mean()
    assert (drawn[:, 2] == face).all()  # blue tells the ball
    torch.testing.assert_close(
        ((drawn[:, :2] - 0.5) * 2)[face[:, None].expand(-1, 2, -1, -1)],
        cut.normals[:, :2][face[:, None].expand(-1, 2, -1, -1)],
    )
    assert len({tuple(picture.flatten()[::97].tolist()) for picture in drawn}) > 1
    nobody = truth.replace(classes=torch.zeros_like(truth.classes))
    assert face_windows(pictures, nobody, 32, torch.Generator().manual_seed(2))[0].shape == drawn.shape


def test_disturbances_differ_by_picture_and_follow_the_seed() -> None:
    pictures, truth = ball(4)
    first, _ = augment(pictures, truth, torch.Generator().manual_seed(3))
    again, _ = augment(pictures, truth, torch.Generator().manual_seed(3))
    other, _ = augment(pictures, truth, torch.Generator().manual_seed(4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert first.min() >= 0.0 and first.max() <= 1.0
    assert (first[0] - first[1]).abs().mean() > 0.02


def test_shards_hold_what_they_say(shards: list[Path]) -> None:
    (path,) = shards
    found = load_file(path)
    assert found["images"].shape == (4, SIDE, SIDE, 3) and found["images"].dtype == np.uint8
    assert found["person"].tolist() == [HELD_OUT_SEED] * 2 + [HELD_OUT_SEED + 1] * 2
    shown = found["classes"] > 0
    lengths = np.linalg.norm(found["normals"].astype(float) / 127, axis=-1)
    assert abs(lengths[shown] - 1).max() < 0.02 and lengths[~shown].max() == 0
    assert (found["normals"][..., 2][shown] < 30).mean() > 0.98  # they look at the camera
    assert {CLASSES.index(c) for c in ("skin", "eyes", "lips")} <= set(np.unique(found["classes"]).tolist())
    before = path.stat().st_mtime_ns
    prepare_portraits(path.parent, 2, 2, SIDE, lambda *a: None, first=HELD_OUT_SEED)
    assert path.stat().st_mtime_ns == before  # what is there is kept


def test_heads_turn_and_do_something() -> None:
    person = synthetic_person(HELD_OUT_SEED)
    states = poses(person, [random_scene(i) for i in range(12)])
    ahead = -states.rotation[:, 2, 2]
    assert ahead.min() < 0.9 < ahead.max() and ahead.min() > 0.0
    assert 0 < states.expression.any(dim=1).sum() <= 12


def test_depth_is_relief_in_sides_of_the_picture() -> None:
    depth = relative_depth(np.full((1, 2, 2), 1.1), np.asarray([1.0]), np.asarray([2.5]))
    assert depth == pytest.approx(np.full((1, 2, 2), 0.25))


def test_a_few_steps_teach_something(shards: list[Path], tmp_path: Path) -> None:
    schedule = Schedule(steps=15, learning_rate=2e-3, warmup=4)
    run = train_dense(schedule, shards, shards, RunOptions(tmp_path), batch=2, size=SIDE)
    torch.manual_seed(0)
    nets = (DenseNet(), run.averaged(DenseNet()))
    scores = [held_out_scores(net, ShardRows(shards), torch.device("cpu")) for net in nets]
    assert scores[1]["held_out_face_degrees_mean"] < 0.8 * scores[0]["held_out_face_degrees_mean"]


def test_photographs_are_learnt_from_beside_portraits(shards: list[Path], tmp_path: Path) -> None:
    found = load_file(shards[0])
    save_file(found | {"certainty": np.full_like(found["classes"], 128)}, tmp_path / "photographs.safetensors")
    schedule, options = Schedule(steps=2, learning_rate=1e-3), RunOptions(tmp_path / "run")
    photographs = [tmp_path / "photographs.safetensors"]
    run = train_dense(schedule, shards, shards, options, batch=3, size=SIDE, photographs=photographs)
    assert run.step == 2


def test_frozen_blocks_stay_and_batch_statistics_too(shards: list[Path], tmp_path: Path) -> None:
    start = seeded(DenseNet).state_dict()
    options = RunOptions(tmp_path, start=start)
    run = train_dense(Schedule(2, 1e-2, warmup=1), shards, shards, options, batch=2, size=SIDE, frozen=3)
    changed = {name for name, value in run.model.state_dict().items() if not torch.equal(value, start[name])}
    assert not any(name.startswith(("trunk.stem", "trunk.blocks.0.", "trunk.blocks.2.")) for name in changed)
    assert not any("running" in name for name in changed)
    assert "trunk.blocks.3.expand.conv.weight" in changed and "last.weight" in changed


def test_a_run_goes_on_with_the_blocks_that_were_frozen(shards: list[Path], tmp_path: Path) -> None:
    start = seeded(DenseNet).state_dict()
    for begun, resumed, said in ((0, 3, "parameters learned"), (3, 0, "missing: trunk.stem")):
        options = RunOptions(tmp_path / str(begun), start=start)
        train_dense(Schedule(1, 1e-3), shards, shards, options, batch=2, size=SIDE, frozen=begun)
        with pytest.raises(InputError, match=said):
            train_dense(Schedule(2, 1e-3), shards, shards, options, batch=2, size=SIDE, frozen=resumed)


def test_no_shards_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ShardRows([])
