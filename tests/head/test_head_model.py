# SPDX-License-Identifier: Apache-2.0
"""The head as one function: its gradients, its batches, its levels of detail, and that it stays what it was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.spatial.transform import Rotation
from torch import Tensor

from reenact.head.head_model import HeadModel, personalised
from reenact.head.open import open_head
from reenact.head.regions import region_ids

REFERENCE = Path(__file__).with_name("reference_head.safetensors")
"""Vertices of two people in twelve states as numpy code made them, before the head was one function in torch."""
COUNT = len(open_head().base_neutral)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return HeadModel(open_head())


def arguments(frames: int, people: int = 1, dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    """Of `HeadModel.forward`: codes that open, smile and look aside, small offsets."""
    draw = np.random.default_rng(11)
    given = {
        "shape": 0.6 * draw.normal(size=(people, 140)),
        "expression": 0.5 * draw.random((frames, 52)),
        "gaze": 0.15 * draw.normal(size=(frames, 2, 2)),
        "rotation": Rotation.from_rotvec(0.3 * draw.normal(size=(frames, 3))).as_matrix(),
        "translation": draw.normal(loc=(0.0, 0.0, 1.0), size=(frames, 3)),
        "static_offset": 1e-4 * draw.normal(size=(people, COUNT, 3)),
        "dynamic_offset": 1e-4 * draw.normal(size=(frames, COUNT, 3)),
    }
    return {name: torch.from_numpy(value).to(dtype) for name, value in given.items()}


@pytest.mark.slow
def test_gradients_reach_every_argument() -> None:
    head = HeadModel(open_head()).double()
    given = arguments(2, dtype=torch.float64)
    names = list(given)
    weight = torch.from_numpy(np.random.default_rng(1).normal(size=(2, COUNT, 3)))

    def weighted(*values: Tensor) -> Tensor:
        return (head(**dict(zip(names, values, strict=True))) * weight).sum()

    inputs = tuple(value.requires_grad_() for value in given.values())
    assert torch.autograd.gradcheck(weighted, inputs, eps=1e-6, atol=1e-4, rtol=1e-4, fast_mode=True)
    grads = torch.autograd.grad(weighted(*inputs), inputs)
    assert all(grad.abs().max() > 1e-6 for grad in grads)


def test_the_head_stays_what_it_was(head: HeadModel) -> None:
    reference = load_file(REFERENCE)
    rows = reference["rows"].long()
    for identity, vertices, hidden in zip(
        reference["identity"], reference["vertices"], reference["hidden_depth"], strict=True
    ):
        own = head.personalise(identity)
        shapes = own(reference["expression"], reference["gaze"])
        torch.testing.assert_close(shapes[:, rows], vertices, atol=1e-6, rtol=0)
        torch.testing.assert_close(own.inner_lips.hidden_depth(shapes)[:, rows], hidden, atol=1e-5, rtol=0)


def test_a_head_made_of_arrays_is_the_same(head: HeadModel) -> None:
    given = arguments(3)
    offset = given["static_offset"][0]
    made = personalised(open_head(), given["shape"][0].numpy(), offset.numpy())
    codes, gaze = given["expression"], given["gaze"]
    shapes = made.meet(made.deform(codes, gaze), codes)
    own = head.canonical(given["shape"], codes, gaze, given["static_offset"])
    torch.testing.assert_close(shapes, own, atol=1e-7, rtol=0)


def test_each_frame_may_be_somebody_else(head: HeadModel) -> None:
    given = arguments(2, people=2)
    both = head(**given)
    for i in range(2):
        alone = head(**{name: value[i : i + 1] for name, value in given.items()})
        torch.testing.assert_close(both[i : i + 1], alone, atol=1e-6, rtol=0)
    assert (both[0] - both[1]).abs().max() > 0.001


def test_the_pose_turns_and_moves_the_whole_head(head: HeadModel) -> None:
    given = arguments(2)
    still = head.canonical(*(given[name] for name in ("shape", "expression", "gaze")))
    posed = head(*(given[name] for name in ("shape", "expression", "gaze", "rotation", "translation")))
    wanted = torch.einsum("fij,fvj->fvi", given["rotation"], still) + given["translation"][:, None]
    torch.testing.assert_close(posed, wanted, atol=1e-6, rtol=0)


def test_the_torso_may_stay_while_the_head_turns(head: HeadModel) -> None:
    given = arguments(2)
    codes = [given[name] for name in ("shape", "expression", "gaze")]
    turned, upright = (given["rotation"], given["translation"]), (torch.eye(3)[None], torch.zeros(1, 3))
    out = head(*codes, *turned, torso=upright)
    weight = head.head_weight[:, None]
    wanted = weight * head(*codes, *turned) + (1.0 - weight) * head.canonical(*codes)
    torch.testing.assert_close(out, wanted, atol=1e-6, rtol=0)
    assert float(weight.min()) < 0.5 and float(weight.max()) == 1.0


def test_finer_levels_are_the_same_head_subdivided() -> None:
    given = arguments(1)
    coarse, fine = HeadModel(open_head()), HeadModel(open_head(), level=2)
    codes = (given["shape"], given["expression"], given["gaze"])
    level = fine.levels[1]
    fine_offset = torch.full((1, len(level), 3), 0.0005)
    out = fine.canonical(*codes, fine_offset=fine_offset)
    wanted = fine.levels[2].upsample(level.upsample(coarse.canonical(*codes)) + fine_offset)
    torch.testing.assert_close(out, wanted, atol=1e-7, rtol=0)
    assert out.shape == (1, 84369, 3)
    with pytest.raises(ValueError, match="level 1"):
        coarse.canonical(*codes, fine_offset=fine_offset)


def test_rows_that_do_not_fit_are_refused(head: HeadModel) -> None:
    given = arguments(3, people=2)
    with pytest.raises(ValueError, match="shape has 2 rows; want 1 or 3"):
        head(**given)


def test_a_static_offset_takes_eyes_and_teeth_along(head: HeadModel) -> None:
    shape = torch.zeros(140)
    offset = torch.zeros(COUNT, 3)
    offset[:, 1] = 0.004
    plain, moved = head.personalise(shape), head.personalise(shape, offset)
    torch.testing.assert_close(moved.eyes, plain.eyes + offset[:2], atol=1e-7, rtol=0)
    torch.testing.assert_close(moved.neutral, plain.neutral + offset, atol=1e-6, rtol=0)


def test_teeth_stay_behind_lips_that_are_pushed_out(head: HeadModel) -> None:
    """A dynamic offset of the lips alone: upper teeth follow to where lips of that place have them."""
    topology = open_head().topology
    own = head.personalise(torch.zeros(140))
    still, codes = torch.zeros(1, 2, 2), torch.zeros(1, 52)
    lips = topology.region_vertices(*region_ids("lips"))
    teeth = topology.region_vertices(*region_ids("teeth_upper"))
    offset = torch.zeros(1, COUNT, 3)
    offset[:, lips, 2] = 0.01
    moved = own(codes, still, offset)[0] - own(codes, still)[0]
    assert float(moved[teeth, 2].min()) > 0.003 and float(moved[teeth, 2].max()) < 0.01
