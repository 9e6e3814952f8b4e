# SPDX-License-Identifier: Apache-2.0
"""Weights come back as they were written; a file that does not fit a network is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reenact.media import InputError
from reenact.media.tensors import load_weights, read_tensors, write_weights


def weights(**changes: Tensor) -> dict[str, Tensor]:
    return {"weight": torch.full((2, 3), 0.5), "bias": torch.ones(2), **changes}


def test_weights_are_kept_in_half_precision_and_loaded_in_the_networks_own(tmp_path: Path) -> None:
    path, net = tmp_path / "w.safetensors", nn.Linear(3, 2)
    write_weights(path, weights(weight=torch.full((3, 2), 0.1).T, spread=torch.ones(4)), {"config": "{}"})
    tensors, about = read_tensors(path, "file of weights")
    assert {t.dtype for t in tensors.values()} == {torch.float16} and about == {"config": "{}"}
    assert load_weights(net, path, "line", "reenact train line", ["spread"])["spread"].sum() == 4
    assert net.weight.dtype == torch.float32
    torch.testing.assert_close(net.weight.detach(), torch.full((2, 3), 0.1), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (weights(live_taps=torch.ones(1)), "unknown: live_taps"),
        (weights(a=torch.ones(1), b=torch.ones(1), c=torch.ones(1), d=torch.ones(1)), "unknown: a, b, c"),
        ({"bias": torch.ones(2)}, "missing: weight"),
        (weights(bias=torch.ones(3)), "of another shape: bias"),
    ],
)
def test_tensors_that_do_not_fit_are_named(tmp_path: Path, tensors: dict[str, Tensor], said: str) -> None:
    write_weights(tmp_path / "w.safetensors", tensors)
    with pytest.raises(InputError) as refused:
        load_weights(nn.Linear(3, 2), tmp_path / "w.safetensors", "line", "reenact train line")
    assert str(refused.value) == (
        f"{tmp_path / 'w.safetensors'} holds no weights of the line ({said}); "
        "want a file that `reenact train line` wrote"
    )


def test_what_is_no_file_of_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"w\.safetensors is not a readable file of weights of the line"):
        load_weights(nn.Linear(3, 2), tmp_path / "w.safetensors", "line", "reenact train line")
