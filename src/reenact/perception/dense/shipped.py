# SPDX-License-Identifier: Apache-2.0
"""Our own estimator: the network of network.py with the weights shipped in the package."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from reenact.media import torch_device
from reenact.media.files import asset
from reenact.media.tensors import load_weights
from reenact.perception.efficientnet import fused

from .maps import DenseEstimator, DenseMaps, View, crop_rotation
from .network import CLASSES, DenseNet, DenseOutput

WEIGHTS = asset("dense.safetensors")
INPUT_PX = 256
_SURE = 12.0  # kappa that is worth half: an expected error of 9.5 degrees
_BACKGROUND = CLASSES.index("background")


class _ShippedEstimator:
    """`DenseEstimator`. Crops of other sizes than 256 px are refused: it was trained on those."""

    name = "reenact-dense-2"

    def __init__(self, net: DenseNet, device: torch.device) -> None:
        self._net, self._device = fused(net).to(device), device

    def __call__(self, views: Sequence[View]) -> list[DenseMaps]:
        for view in views:
            if view.crop.output_px != INPUT_PX:
                raise ValueError(f"got a crop of {view.crop.output_px} px; want {INPUT_PX}")
        crops = np.stack([v.crop.extract(v.picture) for v in views])
        pictures = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255.0
        with torch.no_grad():
            out = DenseOutput(*(part.cpu() for part in self._net(pictures.to(self._device))))
        return [self._maps(view, out, i) for i, view in enumerate(views)]

    def _maps(self, view: View, out: DenseOutput, i: int) -> DenseMaps:
        height, width = view.picture.shape[:2]
        turn = crop_rotation(view.crop, view.focal_px, width, height)
        normals = out.normals[i].permute(1, 2, 0).numpy() @ turn.T
        kappa = out.kappa[i].numpy()
        classes = out.logits[i].argmax(0).to(torch.uint8).numpy()
        certainty = np.where(classes != _BACKGROUND, kappa / (kappa + _SURE), 0.0)
        return DenseMaps(normals.astype(np.float32), certainty.astype(np.float32), out.depth[i].numpy(), classes)


@lru_cache(maxsize=2)
def shipped_estimator(device: str | None = None) -> DenseEstimator:
    """Load the shipped network, once a process, on a device (see `torch_device`). Raises InputError."""
    return _ShippedEstimator(load_dense(WEIGHTS), torch_device(device))


def load_dense(path: Path) -> DenseNet:
    """Load the network with weights of `reenact train dense`. Raises InputError."""
    net = DenseNet()
    load_weights(net, path, "dense network", "reenact train dense")
    return net
