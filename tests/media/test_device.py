# SPDX-License-Identifier: Apache-2.0
"""The device that networks run on."""

import pytest
import torch

import reenact
from reenact.media import InputError, torch_device
from reenact.media.files import asset
from reenact.perception.dense.shipped import shipped_estimator
from reenact.perception.expression import ExpressionObserver
from reenact.transfer.dynamic_offsets import load_transfer

PHOTO = asset("demo/astronaut.jpg")


def test_no_name_is_the_accelerator_or_the_cpu() -> None:
    accelerated = torch.cuda.is_available() or torch.backends.mps.is_available()
    assert (torch_device().type == "cpu") is not accelerated
    assert torch_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize("name", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match=f"device {name}.*; want cpu"):
        torch_device(name)


def test_networks_are_on_the_device_that_is_asked_for() -> None:
    assert {p.device.type for p in load_transfer(device="meta").parameters()} == {"meta"}
    with pytest.raises((NotImplementedError, RuntimeError), match="meta"):  # no values come back from this device
        reenact.track(PHOTO, device="meta")


def test_every_part_refuses_a_device_that_is_not_there() -> None:
    for part in (ExpressionObserver, shipped_estimator):
        with pytest.raises(InputError, match="no device abacus"):
            part(device="abacus")
    with pytest.raises(InputError, match="no device abacus"):
        reenact.fit_subject(PHOTO, device="abacus")
