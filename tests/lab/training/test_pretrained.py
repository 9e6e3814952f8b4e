# SPDX-License-Identifier: Apache-2.0
"""Weights of EfficientNet-Lite0 from a file with the names that its package uses."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reenact.lab.training.pretrained import with_pretrained_trunk
from reenact.media import InputError
from reenact.perception.dense.network import DenseNet
from reenact.perception.efficientnet import EfficientNetLite0

NAMES = (
    ("_conv_stem.weight", "stem.conv.weight"),
    ("_bn0.running_var", "stem.norm.running_var"),
    ("_blocks.0._depthwise_conv.weight", "blocks.0.depthwise.conv.weight"),
    ("_blocks.7._expand_conv.weight", "blocks.7.expand.conv.weight"),
    ("_blocks.7._bn0.bias", "blocks.7.expand.norm.bias"),
    ("_blocks.15._project_conv.weight", "blocks.15.project.conv.weight"),
    ("_blocks.15._bn2.weight", "blocks.15.project.norm.weight"),
    ("_conv_head.weight", "top.conv.weight"),
    ("_fc.weight", None),
)


def test_the_trunk_gets_the_packages_weights(tmp_path: Path) -> None:
    shapes = EfficientNetLite0().state_dict()
    state = {theirs: torch.randn(shapes[ours].shape if ours else (10, 10)) for theirs, ours in NAMES}
    torch.save(state, tmp_path / "lite0.pth")
    net = DenseNet()
    found = with_pretrained_trunk(net, tmp_path / "lite0.pth")
    net.load_state_dict(found)
    for theirs, ours in NAMES:
        if ours is not None and not ours.startswith("top."):  # which the dense network lacks
            assert torch.equal(found[f"trunk.{ours}"], state[theirs])


def test_other_files_are_refused(tmp_path: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="no weights of EfficientNet"):
        with_pretrained_trunk(DenseNet(), tmp_path / "other.pth")
    (tmp_path / "text.pth").write_text("nothing")
    with pytest.raises(InputError, match="cannot be read"):
        with_pretrained_trunk(DenseNet(), tmp_path / "text.pth")
