# SPDX-License-Identifier: Apache-2.0
"""Driving encoder and vertex MLP: at rest, in time, in part; and whether they learn."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from reenact.head.head_model import personalised
from reenact.head.levels import open_levels
from reenact.head.open import open_head
from reenact.lab.training.data.transfer_shards import HELD_OUT_SEED, performance, prepare_subjects
from reenact.lab.training.loop import Run, RunOptions, Schedule
from reenact.lab.training.transfer import Subjects, score, train_transfer
from reenact.transfer.dynamic_offsets import DynamicOffsets
from reenact.transfer.network import CODES, DrivingEncoder, TransferNet
from reenact.transfer.subject_features import FEATURES, WHOLE, face_rows, subject_features, tangent_frames

HEAD = open_head()
CPU = torch.device("cpu")


def fit_mesh(neutral: torch.Tensor) -> torch.Tensor:
    return open_levels()[1].upsample(neutral)[None]


def test_features_do_not_know_size_or_place_and_do_know_shape() -> None:
    base = HEAD.base_neutral
    one, larger = (subject_features(fit_mesh(x)) for x in (base, 1.3 * base + torch.tensor([0, 0.01, 0.02])))
    assert one.vertices.shape == (1, len(face_rows()), FEATURES) and one.whole.shape == (1, WHOLE)
    assert larger.vertices == pytest.approx(one.vertices, abs=0.02)
    assert float(larger.size) == pytest.approx(1.3 * float(one.size), rel=1e-4)
    bumpy = base.clone()
    bumpy[HEAD.topology.landmark_vertices[205]] += torch.tensor([0, 0, 0.003])
    assert (subject_features(fit_mesh(bumpy)).vertices - one.vertices).abs().max() > 0.5


def test_frames_are_right_handed_and_turn_with_the_skin() -> None:
    normals = torch.nn.functional.normalize(torch.randn(50, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    frames = tangent_frames(normals)
    eye = torch.eye(3).expand(50, 3, 3)
    assert frames.transpose(-1, -2) @ frames == pytest.approx(eye, abs=1e-5)
    assert torch.linalg.det(frames) == pytest.approx(torch.ones(50), abs=1e-5)
    assert frames[..., 2] == pytest.approx(normals)


@torch.no_grad()
def test_the_encoder_is_zero_at_rest_and_has_no_lag() -> None:
    encoder = DrivingEncoder()
    torch.nn.init.normal_(encoder.taps, 0.3, 0.2)
    assert encoder(torch.zeros(1, 7, 52)).abs().max() < 1e-6
    held = torch.rand(1, 1, 52).expand(1, 9, 52)
    driven = encoder(held)
    assert driven == pytest.approx(driven[:, :1].expand_as(driven), abs=1e-5)
    codes, later = torch.rand(1, 9, 52), torch.rand(1, 9, 52)
    later[:, :5] = codes[:, :5]
    now, then = encoder(codes), encoder(later)
    assert now[:, :3] == pytest.approx(then[:, :3])  # two frames to come are looked at, no more
    assert (now[:, 4] - then[:, 4]).abs().max() > 1e-3


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return prepare_subjects(tmp_path_factory.mktemp("subjects"), 2, lambda *said: None, first=HELD_OUT_SEED + 160)


@pytest.mark.slow
def test_it_learns_and_goes_on_where_it_was(shards: list[Path], tmp_path: Path) -> None:
    def trained(folder: str, seconds: float) -> Run:
        """Train on a clock that moves on by a second whenever it is read."""
        schedule = Schedule(20, 3e-3, warmup=5, average=0.9)
        options = RunOptions(tmp_path / folder, seconds=seconds, clock=itertools.count(0.0).__next__)
        return train_transfer(schedule, shards, shards, options, batch=2)

    whole = trained("whole", math.inf)
    found = score(whole, Subjects(shards, CPU))
    assert 0.0 < found["left"] < 0.95 and found["mean_mm"] > 0.0
    parts = trained("parts", 8.5)
    assert 0 < parts.step < 9
    parts = trained("parts", math.inf)
    assert parts.step == 20
    for name, value in whole.average.items():
        assert parts.average[name] == pytest.approx(value, abs=1e-6), name


def test_a_part_of_a_long_performance_is_what_it_is_within_the_whole() -> None:
    torch.manual_seed(0)
    net = TransferNet()
    torch.nn.init.normal_(net.encoder.taps, 0.3, 0.1)
    head = personalised(HEAD, np.zeros(HEAD.identity_size, np.float32))
    offsets = DynamicOffsets.of(head, net=net.eval())
    assert offsets.basis.shape == (len(face_rows()), 3, CODES)
    states = performance(np.random.default_rng(3), 40)
    whole, part = offsets(states), offsets(states[6:32])
    assert whole.abs().max() > 1e-6
    torch.testing.assert_close(part[2:-2], whole[8:30], atol=1e-6, rtol=0)  # the filter in time sees two frames around
    net.encoder.leave.weight.data.zero_()
    net.encoder.direct.weight.data.zero_()
    assert not offsets(states).any()
