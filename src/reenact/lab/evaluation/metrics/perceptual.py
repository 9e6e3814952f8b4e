# SPDX-License-Identifier: Apache-2.0
"""LPIPS (Zhang et al. 2018), only where the `lpips` package and its backbone's weights are on the machine already.

Nothing is ever downloaded, and nothing else is called LPIPS: where it is missing the report says so and why.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from ..about import About, Value, over_frames
from ..extra import sha256, version
from ..observe import Image, ObservedFrame
from .base import Absent

BACKBONE: Final = "alexnet-owt-7be5be79.pth"
"""File that torchvision.models.alexnet(weights=IMAGENET1K_V1) looks for in torch.hub's checkpoints folder."""


def backbone_file() -> Path:
    """Return where torchvision would take AlexNet's weights from (by TORCH_HOME); it need not exist."""
    return Path(torch.hub.get_dir()) / "checkpoints" / BACKBONE


class Lpips:
    """LPIPS (AlexNet, version 0.1) of every `every`-th moment, on the frame and on a square around the face.

    Raises Absent, saying what is missing, if it cannot be computed without a download.
    """

    def __init__(self, every: int = 2) -> None:
        for module in ("lpips", "torchvision"):
            if importlib.util.find_spec(module) is None:
                raise Absent(f"{module} is not installed (pip install 'reenact[perceptual]', apart from diffusers)")
        if not backbone_file().is_file():
            raise Absent(f"AlexNet's weights are not at {backbone_file()}, and nothing is downloaded")
        lpips: Any = importlib.import_module("lpips")
        self._network = lpips.LPIPS(net="alex", version="0.1", verbose=False).eval()
        self._every = every
        self._rows: dict[str, list[float]] = {"frame": [], "face square": []}

    def update(self, moment: ObservedFrame) -> None:
        if moment.truth is None:
            raise ValueError("LPIPS needs a truth")
        output, truth = moment.output.image, moment.truth.image
        look = moment.index % self._every == 0
        self._rows["frame"].append(self._distance(output, truth) if look else np.nan)
        face = moment.masks.get("face")
        square = None if face is None else square_around(face)
        near = np.nan if square is None or not look else self._distance(output[square], truth[square])
        self._rows["face square"].append(near)

    def values(self) -> list[Value]:
        units = "LPIPS distance, mean over frames"
        by, digest = f"{version('lpips')}, AlexNet, version 0.1", sha256(backbone_file())
        return [
            over_frames(About("lpips", name, "lower", units, by, digest, self._every), row)
            for name, row in self._rows.items()
        ]

    @torch.no_grad()
    def _distance(self, output: Image, truth: Image) -> float:
        return float(self._network(_tensor(output), _tensor(truth)).item())


def square_around(mask: np.ndarray) -> tuple[slice, slice]:
    """Return rows and columns of a square around a mask [H, W], as far as it is inside the picture."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    half = max(int(np.ptp(rows)), int(np.ptp(columns)), 63) // 2 + 1  # AlexNet needs 64 px
    middle = int(rows.mean()), int(columns.mean())
    out = [
        slice(max(0, min(m - half, size - 2 * half)), min(size, max(m + half, 2 * half)))
        for m, size in zip(middle, mask.shape, strict=True)
    ]
    return out[0], out[1]


def _tensor(image: Image) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 127.5 - 1
