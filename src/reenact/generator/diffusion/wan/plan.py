# SPDX-License-Identifier: Apache-2.0
"""What a Wan generator is: which pretrained model, what is added to it, what of it is trained."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from reenact.media.errors import InputError

INPUTS = ("photo", "photo_normals", "photo_regions", "warped", "normals", "regions")
"""What can be switched off, each by itself. Visibility goes with `warped`, for it says which of it to believe."""

FRAMES = 77
"""Of a window, as Wan-Animate's: 1 more than a multiple of 4."""

DRIVING = ("warped", "normals", "regions")
"""What tells of the performance. Guidance compares with a model that is not told these."""


@dataclass(frozen=True)
class WanPlan:
    """Everything but the weights; config.json of a trained folder."""

    base: str
    """Folder of the pretrained model in diffusers' layout, or its hub id."""
    subfolder: str = "transformer"
    """Wan2.2-A14B has a second one, `transformer_2`, for little noise."""
    rank: int = 32
    """Of the LoRA on every attention and feed-forward matrix; 0: all weights are trained."""
    inputs: tuple[str, ...] = INPUTS
    """What the model is told at all; the others are switched off in training and sampling alike."""
    noise: tuple[float, float] = (0.0, 1.0)
    """Noise levels (sigma) this transformer is for. A14B: 0.9 to 1 for `transformer`, 0 to 0.9 for `transformer_2`."""
    width: int = 64
    """Channels of the encoders at their finest; twice and four times as many further in."""

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
        """Of a trained folder. Raises InputError if it has no config.json of a Wan generator."""
        path = folder / "config.json"
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path} cannot be read ({error}); want a folder that training wrote") from error
        if found.pop("generator", None) != "wan" or set(found) != {f.name for f in fields(cls)}:
            raise InputError(f"{path} does not describe a wan generator; want a folder that training wrote")
        found |= {"inputs": tuple(found["inputs"]), "noise": tuple(found["noise"])}
        return cls(**found)
