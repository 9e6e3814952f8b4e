# SPDX-License-Identifier: Apache-2.0
"""What the offsets leave alone goes along with the skin about it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from reenact.head.head_model import personalised
from reenact.head.levels import open_levels
from reenact.head.open import open_head
from reenact.head.regions import region_ids
from reenact.head.shape import eyeball_vertices
from reenact.subject.followers import followers

HEAD, CONTROL = open_head(), open_levels()[0]
TOP, BASE = HEAD.topology, HEAD.base_neutral.numpy()
LEFT = BASE[:, :1] > 0


def followed(offset: np.ndarray) -> np.ndarray:
    """What becomes of an offset [V, 3] of the skin."""
    skin = torch.from_numpy((offset * CONTROL.soft.numpy()[:, None]).astype(np.float32))
    return (followers(HEAD, CONTROL.soft) @ skin).numpy()


def test_a_head_moved_as_a_whole_stays_whole() -> None:
    by = np.tile(np.asarray([0.001, -0.002, 0.003], np.float32), (len(BASE), 1))
    assert followed(by) == pytest.approx(by, abs=1e-8)


def test_an_eyeball_goes_with_its_own_lids_and_keeps_its_shape() -> None:
    out = followed(np.where(LEFT, [0, 0, -0.003], 0.0) * (1.0 + 50.0 * BASE[:, 1:2]))
    left, right = eyeball_vertices(TOP, HEAD.base_neutral)
    assert np.ptp(out[left], axis=0) == pytest.approx(0.0, abs=1e-8)
    assert out[left, 2].mean() == pytest.approx(-0.003, rel=0.3)
    assert np.abs(out[right]).max() == 0.0


def test_lashes_stay_on_their_lids() -> None:
    """Lids lifted by 4 mm on the outer half of each eye: the lashes there are no farther from them than before."""
    lids, lashes = (TOP.region_vertices(*region_ids(n)) for n in ("eyelids", "eyelashes"))
    lids = lids[CONTROL.soft[lids] > 0]
    lift = np.zeros_like(BASE)
    lift[:, 1] = 0.004 / (1.0 + np.exp(-(np.abs(BASE[:, 0]) - 0.033) / 0.004))
    after = BASE + followed(lift)
    was, now = (KDTree(x[lids]).query(x[lashes])[0] for x in (BASE, after))
    assert np.abs(now - was).max() < 0.001
    assert np.abs(after - BASE)[lashes].max() > 0.003


def test_skin_is_left_as_it_is() -> None:
    offset = np.random.default_rng(0).normal(0, 0.001, BASE.shape).astype(np.float32)
    skin = CONTROL.soft.numpy() > 0
    assert followed(offset)[skin] == pytest.approx(offset[skin], abs=1e-9)


def test_moved_eyes_turn_about_where_they_are() -> None:
    """Looking aside, a ball that an offset moved stays the same ball in its new place."""
    offset = np.zeros_like(BASE)
    left, right = eyeball_vertices(TOP, HEAD.base_neutral)
    offset[left] = [0.0, 0.001, -0.004]
    none = np.zeros(HEAD.identity_size, np.float32)
    gaze, codes = torch.full((1, 2, 2), 0.4), torch.zeros(1, 52)
    plain, moved = (personalised(HEAD, none, o).deform(codes, gaze)[0].numpy() for o in (None, offset))
    assert moved[left] - plain[left] == pytest.approx(offset[left], abs=1e-6)
    assert moved[right] == pytest.approx(plain[right], abs=1e-6)
