# SPDX-License-Identifier: Apache-2.0
"""Training of the expression network: mirror images, rolled heads, shards, and exact resume."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from safetensors.torch import save_file as save_weights
from scipy.spatial.transform import Rotation

from reenact.app.arguments import BadArgument
from reenact.head.arkit import ACTIONS, OTHER_SIDE, index
from reenact.lab.commands.train import TrainExpression
from reenact.lab.training.data.expression_portraits import (
    HELD_OUT_SEED,
    prepare_expression_portraits,
    random_expression,
)
from reenact.lab.training.expression import (
    ExpressionTraining,
    Faces,
    blended,
    error_spread,
    likelihood,
    predictions,
    rolled,
    rotation_vector,
    train_expression,
)
from reenact.lab.training.expression_augment import ExpressionTruth, disturb, mirrored, undisturbed
from reenact.lab.training.loop import Run, RunOptions, Schedule
from reenact.media import InputError
from reenact.perception.blendshapes import blendshape_evidence
from reenact.perception.expression_network import (
    CODES,
    DISTANCE,
    GAZE,
    INPUT_PX,
    OUTPUTS,
    ROTATION,
    STORED,
    ExpressionNet,
    ExpressionOutput,
    load_expression,
)
from reenact.perception.face_crop import face_crop


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
    truth = ExpressionTruth(*(torch.randn(4, n, generator=draw) for n in (52, 3, 4, 1, OUTPUTS)))
    once, twice = mirrored(truth), mirrored(mirrored(truth))
    for name in ("codes", "rotation", "gaze", "distance", "noise"):
        torch.testing.assert_close(getattr(twice, name), getattr(truth, name))
    assert torch.equal(once.codes[:, index("browDownLeft")], truth.codes[:, index("browDownRight")])
    assert torch.equal(once.codes[:, index("jawLeft")], truth.codes[:, index("jawRight")])
    assert torch.equal(once.noise[:, index("jawLeft")], truth.noise[:, index("jawRight")])
    assert torch.equal(once.noise[:, GAZE.start], truth.noise[:, GAZE.start + 2])
    assert OTHER_SIDE[index("jawOpen")] == index("jawOpen")
    # A head that looks to the right of its picture looks to the left of the mirror image.
    turn = torch.from_numpy(Rotation.from_euler("YXZ", [0.4, 0.2, 0.1]).as_matrix() @ np.diag([1.0, -1.0, -1.0]))
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))
    other = mirrored(replace(truth, rotation=rotation_vector(turn[None].float())))
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
        options = RunOptions(folder, seconds=seconds, clock=itertools.count(0.0).__next__)
        return train_expression(training, [shard], [shard], options)

    whole = train(tmp_path / "whole", math.inf)
    assert 0 < train(tmp_path / "parts", 3.0).step < 4
    parts = train(tmp_path / "parts", math.inf)
    assert parts.step == whole.step == 4
    assert all(torch.equal(parts.average[name], value) for name, value in whole.average.items())


def test_photographs_teach_what_scores_and_the_fit_know(shard: Path, tmp_path: Path) -> None:
    drawn = load_file(shard)
    base = np.zeros((3, 52), np.float32)
    base[1, index("jawOpen")] = 0.9  # not calm: left out
    save_file({n: v for n, v in drawn.items() if n != "distance"} | {"base": base}, tmp_path / "moved.safetensors")
    save_file({n: drawn[n] for n in ("images", "scores")}, tmp_path / "seen.safetensors")
    exact, moved, seen = (Faces([p]) for p in (shard, tmp_path / "moved.safetensors", tmp_path / "seen.safetensors"))
    assert len(moved) == 2 and (exact.truth.noise == 0).all()
    torch.testing.assert_close(moved.truth.codes, exact.truth.codes[[0, 2]])
    unknown = torch.zeros(2, OUTPUTS, dtype=torch.bool)
    unknown[:, [ROTATION.start, DISTANCE.start]] = True
    assert torch.equal(moved.truth.noise.isnan(), unknown)
    said = blendshape_evidence(drawn["scores"])
    np.testing.assert_array_equal(seen.truth.codes.numpy(), said.mean)
    labelled = [a.startswith(("jawOpen", "eyeBlink", "mouthSmile")) for a in ACTIONS]
    np.testing.assert_array_equal(seen.truth.noise[:, CODES].isfinite().numpy(), np.tile(labelled, (3, 1)))
    np.testing.assert_array_equal(seen.truth.noise[:, CODES][:, labelled].numpy(), said.sigma[:, labelled])
    assert seen.truth.noise[:, CODES.stop :].isnan().all()


def test_labels_teach_by_how_well_they_are_known() -> None:
    def pull(noise: float, truth: float = 0.5) -> tuple[float, float]:
        """Loss, and its gradient by the mean, of an output of mean 0 and deviation 0.1."""
        mean = torch.zeros(1, OUTPUTS, requires_grad=True)
        out = ExpressionOutput(mean, torch.full((1, OUTPUTS), 2 * math.log(0.1)))
        labels = torch.full((1, 52), 0.5)
        labels[0, 7] = truth
        deviations = torch.zeros(1, OUTPUTS)
        deviations[0, 7] = noise
        loss = likelihood(out, CODES, labels, deviations)
        return float(loss.detach()), float(torch.autograd.grad(loss, mean)[0][0, 7])

    assert pull(0.0)[1] < 2 * pull(0.3)[1] < 0
    assert pull(math.nan, 0.0) == pull(math.nan, 9.0) and pull(math.nan)[1] == 0
    # Seitzer et al. 2022, equation 5, with beta 1/2: deviation x (negative log-likelihood).
    np.testing.assert_allclose(pull(0.0)[0], 0.1 * 0.5 * (0.5**2 / 0.1**2 + math.log(0.1**2)), rtol=1e-5)


def test_the_spread_is_that_of_errors_in_the_networks_own_deviations(shard: Path) -> None:
    torch.manual_seed(0)
    net, faces = ExpressionNet(), Faces([shard])
    out = predictions(net, faces.images, 64)
    truth = out.mean + 3.0 * torch.exp(0.5 * out.log_variance)
    noise = torch.zeros(3, OUTPUTS)
    noise[0, 5], noise[:, 6] = math.nan, math.nan
    truth[0, 5] = 100.0
    faces.truth = ExpressionTruth(truth[:, CODES], truth[:, ROTATION], truth[:, GAZE], truth[:, DISTANCE], noise)
    wanted = torch.full((OUTPUTS,), 3.0)
    wanted[6] = 1.0  # nothing is known of it
    torch.testing.assert_close(error_spread(net, [faces], 64), wanted, atol=1e-3, rtol=0)


def test_what_is_measured_is_cut_as_the_network_sees_it() -> None:
    y, x = np.mgrid[:300, :300] / 300.0
    image = np.stack([x, y, 0.5 + 0.4 * np.sin(9 * x) * np.cos(7 * y)], axis=2)
    image = (255 * image).astype(np.uint8)
    points = np.random.default_rng(0).normal(150.0, 25.0, (478, 2))
    stored = torch.from_numpy(face_crop(image, points, 160, STORED)).permute(2, 0, 1)[None].float()
    seen = undisturbed(stored, INPUT_PX)[0].permute(1, 2, 0).numpy()
    inside = np.abs(seen - face_crop(image, points, INPUT_PX))[4:-4, 4:-4]
    assert inside.max() < 4.0


def test_frozen_blocks_stay_and_the_others_learn(shard: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    start = {name: value.clone() for name, value in ExpressionNet().state_dict().items()}
    save_file({n: load_file(shard)[n] for n in ("images", "scores")}, tmp_path / "seen.safetensors")
    run = train_expression(
        ExpressionTraining(Schedule(2, 1e-3, warmup=1), batch=4, photographs=2, size=64, frozen=2),
        [shard],
        [shard],
        RunOptions(tmp_path / "run", start=start),
        photographs=[tmp_path / "seen.safetensors"],
    )
    same = {name for name, value in run.model.state_dict().items() if torch.equal(value, start[name])}
    still = {name for name in start if name.startswith(("trunk.stem.", "trunk.blocks.0.", "trunk.blocks.1."))}
    assert still <= same and not {n for n in same - still if n.endswith("conv.weight")}


def test_earlier_weights_are_read_refused_and_blended(tmp_path: Path) -> None:
    torch.manual_seed(1)
    old, new = ExpressionNet().state_dict(), ExpressionNet().state_dict()
    save_weights({k: v.half().contiguous() for k, v in old.items()} | {"spread": torch.ones(OUTPUTS)}, tmp_path / "w")
    start = load_expression(tmp_path / "w")[0].state_dict()
    torch.testing.assert_close(start["head.weight"], old["head.weight"], atol=1e-4, rtol=1e-3)
    between = blended(start, new, 0.25)
    assert between.keys() == new.keys()
    wanted = 0.75 * start["head.weight"] + 0.25 * new["head.weight"]
    torch.testing.assert_close(between["head.weight"], wanted)
    assert blended({}, new, 1.0) is new
    ExpressionNet().load_state_dict(between)
    (tmp_path / "x").write_bytes(b"no weights")
    save_weights({"spread": torch.ones(3)}, tmp_path / "y")
    for name in "xy":
        with pytest.raises(InputError, match="weights of the expression network"):
            load_expression(tmp_path / name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blend": 0.0, "start": Path("w")}, "is no share"),
        ({"blend": 0.5}, "needs --start"),
        ({"start": Path("w"), "pretrained": Path("p")}, "exclude each other"),
    ],
)
def test_what_weights_begin_with_is_said_once(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadArgument, match=message):
        TrainExpression(tmp_path / "run", **options).run()
    assert not (tmp_path / "run").exists()


def test_no_shard_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Faces([])
