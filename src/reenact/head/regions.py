# SPDX-License-Identifier: Apache-2.0
"""Names of the semantic regions that every face (triangle) of a head belongs to."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

REGIONS: Final[tuple[str, ...]] = (
    "skin",
    "neck",
    "ears",
    "eyelids",
    "lips",
    "mouth_cavity",
    "eye_socket",
    "sclera",
    "iris",
    "teeth_upper",
    "teeth_lower",
    "tongue",
    "eyelashes",
)
"""Region name by label; a region map holds these indices and `EMPTY` where no surface is."""

EMPTY: Final[int] = 255

MOUTH_INTERIOR: Final[tuple[str, ...]] = ("mouth_cavity", "teeth_upper", "teeth_lower", "tongue")
EYEBALL: Final[tuple[str, ...]] = ("sclera", "iris")


def region_ids(*names: str) -> tuple[int, ...]:
    """Labels of the named regions; raises ValueError for an unknown name."""
    return tuple(REGIONS.index(name) for name in names)


def in_regions(labels: Tensor, *ids: int) -> Tensor:
    """Tell which labels (uint8, of any shape) are among `ids`: bool, of the same shape."""
    return torch.isin(labels, torch.tensor(ids, dtype=labels.dtype, device=labels.device))
