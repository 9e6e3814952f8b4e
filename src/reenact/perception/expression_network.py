# SPDX-License-Identifier: Apache-2.0
"""Expression from pixels: EfficientNet-Lite0 with a head that gives each output a mean and a variance.

It sees what landmarks cannot say: a sneer, puffed cheeks, a frown, lips rolled in.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from reenact.head.arkit import ACTIONS
from reenact.media.tensors import load_weights

from .efficientnet import FEATURES, EfficientNetLite0

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


@dataclass(frozen=True)
class ExpressionOutput:
    """Means and logarithms of variances of N faces; the columns are those of `CODES` and so on."""

    mean: Tensor  # [N, OUTPUTS]
    log_variance: Tensor  # [N, OUTPUTS]

    def rows(self, index: slice) -> ExpressionOutput:
        """Return some faces."""
        return ExpressionOutput(self.mean[index], self.log_variance[index])


class ExpressionNet(nn.Module):
    """Face crops (perception.face_crop) [N, 3, S, S] in 0..1 -> `ExpressionOutput`."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = EfficientNetLite0()
        self.head = nn.Linear(FEATURES, 2 * OUTPUTS)
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

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
