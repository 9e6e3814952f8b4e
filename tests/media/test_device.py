# SPDX-License-Identifier: Apache-2.0
"""The device that networks run on."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

import reenact
from reenact.media import InputError, SquareCrop, read_image, torch_device
from reenact.media.files import asset
from reenact.perception.dense.maps import View
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


def devices_of(call: Callable[[], object]) -> set[str]:
    """Devices of weights and inputs of every layer that a call gets to; no values come back from the meta device."""
    found: set[str] = set()

    def look(layer: nn.Module, inputs: tuple[object, ...]) -> None:
        tensors = [*layer.parameters(recurse=False), *(x for x in inputs if isinstance(x, torch.Tensor))]
        found.update(x.device.type for x in tensors)

    hook = register_module_forward_pre_hook(look)
    try:
        with pytest.raises((NotImplementedError, RuntimeError), match="meta"):
            call()
    finally:
        hook.remove()
    return found


def test_networks_and_what_they_see_are_on_the_device_that_is_asked_for() -> None:
    image = read_image(PHOTO)
    view = View(image, 0, SquareCrop(0, 0, 256, 256), 600.0)
    assert devices_of(lambda: reenact.track(PHOTO, device="meta")) == {"meta"}
    assert devices_of(lambda: shipped_estimator(device="meta")([view])) == {"meta"}


def test_predicted_offsets_use_the_network_on_the_device() -> None:
    subject, motion = reenact.fit_subject(PHOTO), reenact.load("smile")
    assert isinstance(motion, reenact.Motion)
    short = motion[:3]
    assert {p.device.type for p in load_transfer(device="meta").parameters()} == {"meta"}
    assert reenact.retarget(short, subject, detail="own", device="cpu").dynamic_offset is not None
    with pytest.raises((NotImplementedError, RuntimeError), match="meta"):
        reenact.retarget(short, subject, detail="own", device="meta")


def test_every_part_refuses_a_device_that_is_not_there() -> None:
    for part in (ExpressionObserver, shipped_estimator):
        with pytest.raises(InputError, match="no device abacus"):
            part(device="abacus")
    with pytest.raises(InputError, match="no device abacus"):
        reenact.fit_subject(PHOTO, device="abacus")
