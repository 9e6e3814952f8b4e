# SPDX-License-Identifier: Apache-2.0
"""EfficientNet-Lite0, the trunk of the networks that look at faces.

Tan and Le, "EfficientNet", 2019 (arXiv 1905.11946), in its Lite form: no squeeze-and-excitation, ReLU6 instead of
swish.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Final, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

Net = TypeVar("Net", bound=nn.Module)
# Expansion, kernel, stride, channels, repeats of each stage (Tan and Le, table 1).
_STAGES: Final = (
    (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)  # fmt: skip
_STEM: Final = 32
FEATURES: Final = 1280
"""Of the last convolution."""
WIDTHS: Final = (16, 24, 40, 112, 320)
"""Channels of `EfficientNetLite0.pyramid`, at 1/2, 1/4, ... 1/32 of the picture's side."""
_LEVEL_ENDS: Final = (0, 2, 4, 10, 15)  # the last block at each of these scales


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
        if self.conv.groups > 1 and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            # Depthwise convolutions in bfloat16 are slow on CPUs: training takes 1.9 x as long.
            with torch.autocast("cpu", enabled=False):
                return self.norm(self.conv(x.float()))
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


class EfficientNetLite0(nn.Module):
    """Pictures [N, 3, S, S] in -1..1 to features."""

    def __init__(self, *, top: bool = True) -> None:
        """Make the network; without `top`, it has no last convolution and only a pyramid."""
        super().__init__()
        self.stem = _Conv(3, _STEM, 3, 2)
        blocks, inputs = [], _STEM
        for expansion, kernel, stride, outputs, repeats in _STAGES:
            for i in range(repeats):
                blocks.append(_Block(inputs, outputs, expansion, kernel, stride if i == 0 else 1))
                inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.top = _Conv(inputs, FEATURES) if top else None

    def pyramid(self, pictures: Tensor) -> list[Tensor]:
        """Compute features at five scales [N, C, S / 2, S / 2] ... [N, C, S / 32, S / 32]; C as in `WIDTHS`."""
        x = functional.relu6(self.stem(pictures))
        levels = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in _LEVEL_ENDS:
                levels.append(x)
        return levels

    def forward(self, pictures: Tensor) -> Tensor:
        """Compute features [N, FEATURES] of whole pictures. Raises ValueError if it has no top."""
        if self.top is None:
            raise ValueError("got a trunk without its last convolution; want one made with top=True")
        x = self.blocks(functional.relu6(self.stem(pictures)))
        return functional.relu6(self.top(x)).mean(dim=(2, 3))

    def first_blocks(self, count: int) -> list[nn.Module]:
        """Return the stem and the first blocks; none of a count of 0."""
        return [self.stem, *list(self.blocks.children())[:count]] if count else []


def fused(net: Net) -> Net:
    """Return a copy in which each convolution has taken its normalisation in: for inference only."""
    copy = deepcopy(net).eval()
    for part in copy.modules():
        if isinstance(part, _Conv) and isinstance(part.norm, nn.BatchNorm2d):
            part.conv = fuse_conv_bn_eval(part.conv, part.norm)
            part.norm = nn.Identity()
    return copy
