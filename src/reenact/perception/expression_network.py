# SPDX-License-Identifier: Apache-2.0
"""Expression from pixels: EfficientNet-Lite0 with a head that gives each output a mean and a variance.

The trunk is that of Tan and Le, "EfficientNet", 2019 (arXiv 1905.11946) in its Lite form: no squeeze-and-excitation,
ReLU6 instead of swish. It sees what landmarks cannot say: a sneer, puffed cheeks, a frown, lips rolled in.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from reenact.head.arkit import ACTIONS
from reenact.media.tensors import load_weights

INPUT_PX: Final = 128
STORED: Final = 1.16
"""Side of the crops that training keeps, in sides of the square that is seen: room to shift, scale and roll."""
CODES: Final = slice(0, len(ACTIONS))
"""Columns of the expression codes, in the order of ACTIONS."""
ROTATION: Final = slice(CODES.stop, CODES.stop + 3)
"""Rotation vector from a head that looks into the camera, radians, camera axes, as the crop shows it."""
GAZE: Final = slice(ROTATION.stop, ROTATION.stop + 4)
"""Left yaw, left pitch, right yaw, right pitch relative to the head, radians."""
DISTANCE: Final = slice(GAZE.stop, GAZE.stop + 1)
"""Logarithm of the distance in metres, of a head scaled to the base adult's size."""
OUTPUTS: Final = DISTANCE.stop
# Expansion, kernel, stride, channels, repeats of each stage (Tan and Le, table 1).
_STAGES: Final = (
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)  # fmt: skip
_STEM, _FEATURES = 32, 1280


@dataclass(frozen=True)
class ExpressionOutput:
    """Means and logarithms of variances of N faces; the columns are those of `CODES` and so on."""

    mean: Tensor  # [N, OUTPUTS]
    log_variance: Tensor  # [N, OUTPUTS]

    def rows(self, index: slice) -> ExpressionOutput:
        """Return some faces."""
        return ExpressionOutput(self.mean[index], self.log_variance[index])


class _Conv(nn.Module):
    """Convolution with TensorFlow's "same" padding, then batch normalisation."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.conv.kernel_size[0], self.conv.stride[0]
        lacks = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[-2:]]
        if any(lacks):
            x = functional.pad(x, [lacks[1] // 2, lacks[1] - lacks[1] // 2, lacks[0] // 2, lacks[0] - lacks[0] // 2])
        return self.norm(self.conv(x))


class _Block(nn.Module):
    """Mobile inverted bottleneck."""

    def __init__(self, inputs: int, outputs: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = inputs * expansion
        self.expand = _Conv(inputs, wide) if expansion != 1 else None
        self.depthwise = _Conv(wide, wide, kernel, stride, groups=wide)
        self.project = _Conv(wide, outputs)
        self._skips = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else functional.relu6(self.expand(x))
        y = self.project(functional.relu6(self.depthwise(y)))
        return x + y if self._skips else y


class _EfficientNetLite0(nn.Module):
    """Pictures [N, 3, S, S] in -1..1 -> features [N, 1280]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _Conv(3, _STEM, 3, 2)
        blocks, inputs = [], _STEM
        for expansion, kernel, stride, outputs, repeats in _STAGES:
            for i in range(repeats):
                blocks.append(_Block(inputs, outputs, expansion, kernel, stride if i == 0 else 1))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.top = _Conv(inputs, _FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(functional.relu6(self.stem(x)))
        return functional.relu6(self.top(x)).mean(dim=(2, 3))


class ExpressionNet(nn.Module):
    """Face crops (perception.face_crop) [N, 3, S, S] in 0..1 -> `ExpressionOutput`."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = _EfficientNetLite0()
        self.head = nn.Linear(_FEATURES, 2 * OUTPUTS)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def fused(self) -> ExpressionNet:
        """Return a copy in which each convolution has taken its normalisation in: for inference only."""
        copy = deepcopy(self).eval()
        for part in copy.modules():
            if isinstance(part, _Conv) and isinstance(part.norm, nn.BatchNorm2d):
                part.conv = fuse_conv_bn_eval(part.conv, part.norm)
                part.norm = nn.Identity()
        return copy

    def first_blocks(self, count: int) -> list[nn.Module]:
        """Return the trunk's first blocks, with its stem; none of a count of 0."""
        return [self.trunk.stem, *list(self.trunk.blocks.children())[:count]] if count else []

    def forward(self, pictures: Tensor) -> ExpressionOutput:
        means, log_variances = self.head(self.trunk(2.0 * pictures - 1.0)).float().split(OUTPUTS, dim=1)
        low, high = -9.0, 3.0  # standard deviations of 0.011 to 4.5
        return ExpressionOutput(means, low + (high - low) * torch.sigmoid(log_variances))


def load_expression(path: Path) -> tuple[ExpressionNet, Tensor]:
    """Load the network with weights of `reenact train expression`, and the spread of its errors.

    Returns:
        The network, and [OUTPUTS] how many of its own standard deviations its errors have on unseen people.

    Raises:
        InputError: the file holds no such weights.
    """
    net = ExpressionNet()
    beside = load_weights(net, path, "expression network", "reenact train expression", ["spread"])
    return net, beside["spread"].float()
