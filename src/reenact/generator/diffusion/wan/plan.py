# SPDX-License-Identifier: Apache-2.0
"""The configuration of a Wan generator: the pretrained model, what is added to it, and what of it is trained."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from reenact.media.errors import InputError

INPUTS = ("photo", "photo_normals", "photo_regions", "warped", "normals", "regions")
"""Inputs that can be left out, by the names that config.json has for them; "photo" is the reference.

Visibility belongs to `warped`: it says where that is valid.
"""

FRAMES = 77
"""Frames of a window, as Wan-Animate's: 1 more than a multiple of 4."""

DRIVING = ("warped", "normals", "regions")
"""Driving inputs, which the unconditional prediction of guidance has not."""


@dataclass(frozen=True)
class WanPlan:
    """Everything but the weights; config.json of a trained folder. Raises ValueError for values that cannot be."""

    base: str
    """Folder of the pretrained model in diffusers' layout, or its hub id."""
    subfolder: str = "transformer"
    """Folder of the transformer in it; Wan2.2-A14B has a second one, `transformer_2`, for little noise."""
    rank: int = 32
    """Rank of the LoRA on every attention and feed-forward matrix; 0: all weights are trained."""
    inputs: tuple[str, ...] = INPUTS
    """Inputs of the model; the others are left out in training and sampling alike."""
    noise: tuple[float, float] = (0.0, 1.0)
    """Range of noise levels (sigma) of this transformer. A14B: 0.9 to 1 for `transformer`, 0 to 0.9 for
    `transformer_2`."""
    width: int = 64
    """Channels of the encoders at their finest level; twice and four times as many at coarser ones."""

    def __post_init__(self) -> None:
        if unknown := set(self.inputs) - set(INPUTS):
            raise ValueError(f"got unknown inputs {sorted(unknown)}; there are {', '.join(INPUTS)}")
        if not 0.0 <= self.noise[0] < self.noise[1] <= 1.0:
            raise ValueError(f"got noise levels {self.noise}; want two, rising, within 0 to 1")

    def save(self, folder: Path) -> None:
        """Write FOLDER/config.json."""
        text = json.dumps({"generator": "wan", **asdict(self)}, indent=2)
        (folder / "config.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> WanPlan:
        """Read FOLDER/config.json. Raises InputError if it is not that of a Wan generator."""
        path = folder / "config.json"
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read ({error}); want a folder that training wrote") from error
        if values.pop("generator", None) != "wan" or set(values) != {f.name for f in fields(cls)}:
            raise InputError(f"{path} does not describe a wan generator; want a folder that training wrote")
        values |= {"inputs": tuple(values["inputs"]), "noise": tuple(values["noise"])}
        return cls(**values)
