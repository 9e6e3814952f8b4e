# SPDX-License-Identifier: Apache-2.0
"""The shipped estimator: sees people it has never seen, in the frame of reference it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from reenact.lab.synthetic import random_scene, render_portraits, still_state, synthetic_person
from reenact.lab.training.data.portraits import HELD_OUT_SEED, class_table
from reenact.media.crop import SquareCrop
from reenact.perception.dense.maps import View, crop_rotation, head_crop
from reenact.perception.dense.network import CLASSES, FACE, HEAD, DenseNet
from reenact.perception.dense.shipped import INPUT_PX, WEIGHTS, shipped_estimator


@pytest.mark.parametrize("seed", [HELD_OUT_SEED + 60, HELD_OUT_SEED + 61])
def test_it_sees_people_it_has_not_learnt_from(seed: int) -> None:
    person, scene = synthetic_person(seed), random_scene(seed)
    drawn = render_portraits([person], still_state(person, scene), [scene], INPUT_PX)
    view = View(drawn.images[0], 0, SquareCrop(0, 0, INPUT_PX, INPUT_PX), drawn.cameras[0].focal_px)
    (maps,) = shipped_estimator()([view])
    truth = np.where(np.isfinite(drawn.depth[0]), class_table()[drawn.labels[0]], 0)
    face, head, found = np.isin(truth, FACE), np.isin(truth, HEAD), np.isin(maps.classes, HEAD)
    np.testing.assert_allclose(np.linalg.norm(maps.normals, axis=-1), 1.0, atol=1e-4)
    angle = np.degrees(np.arccos(np.clip((maps.normals * drawn.normals[0]).sum(-1), -1, 1)))
    ahead = np.degrees(np.arccos(np.clip(-drawn.normals[0][..., 2], -1, 1)))  # what a flat guess would get
    assert angle[face].mean() < 16 and angle[face].mean() < 0.5 * ahead[face].mean()
    assert (head & found).sum() / (head | found).sum() > 0.85
    assert maps.certainty.min() >= 0 and maps.certainty.max() <= 1 and maps.certainty[maps.classes == 0].max() == 0
    # Where it is sure it errs less.
    sure = maps.certainty > np.median(maps.certainty[face])
    assert angle[face & sure].mean() < angle[face & ~sure].mean()
    assert maps.depth is not None
    relief = drawn.depth[0] * drawn.cameras[0].focal_px / INPUT_PX / scene.distance_m
    a, b = maps.depth[face], relief[face]
    assert np.corrcoef(a, b)[0, 1] > 0.9 and 0.6 < a.std() / b.std() < 1.4


def test_weights_are_small_and_whole() -> None:
    assert WEIGHTS.stat().st_size < 12e6
    assert sum(p.numel() for p in DenseNet().parameters()) * 2 < 12e6


def test_the_network_says_what_it_wants() -> None:
    with pytest.raises(ValueError, match="multiple of 32"):
        DenseNet()(torch.zeros(1, 3, 100, 100))
    out = DenseNet().eval()(torch.rand(2, 3, 64, 64))
    assert out.normals.shape == (2, 3, 64, 64) and out.logits.shape == (2, len(CLASSES), 64, 64)
    assert torch.allclose(out.normals.norm(dim=1), torch.ones(2, 64, 64), atol=1e-4) and (out.kappa > 0).all()


def test_a_crop_of_another_size_is_refused() -> None:
    view = View(np.zeros((300, 300, 3), np.uint8), 0, SquareCrop(0, 0, 300, 300), 500.0)
    with pytest.raises(ValueError, match="want 256"):
        shipped_estimator()([view])


def test_the_crop_follows_the_head_and_its_size() -> None:
    near, far = (head_crop(np.asarray([0.1, 0.0, z]), 0.0522, 800.0, 640, 480, 256) for z in (0.5, 1.0))
    assert near.size == pytest.approx(2 * far.size)
    assert far.x0 + far.size / 2 == pytest.approx(320 + 80) and near.x0 + near.size / 2 == pytest.approx(320 + 160)
    child = head_crop(np.asarray([0.1, 0.0, 1.0]), 0.0261, 800.0, 640, 480, 256)
    assert child.size == pytest.approx(far.size / 2)


def test_what_looks_at_a_crops_middle_looks_along_its_ray() -> None:
    crop = SquareCrop(400, 100, 100, 256)
    turn = crop_rotation(crop, 500.0, 640, 480)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-6)
    ray = np.asarray([450 - 320, 150 - 240, 500.0])
    np.testing.assert_allclose(turn @ [0, 0, 1], ray / np.linalg.norm(ray), atol=1e-6)
    np.testing.assert_allclose(crop_rotation(SquareCrop(270, 190, 100, 256), 500.0, 640, 480), np.eye(3), atol=1e-6)
