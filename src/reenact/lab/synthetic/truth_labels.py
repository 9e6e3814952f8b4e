# SPDX-License-Identifier: Apache-2.0
"""Labels of the truth maps: the head's own regions first, then what synthetic people wear."""

from __future__ import annotations

from typing import Final

from reenact.head.regions import EMPTY, REGIONS

LABELS: Final[tuple[str, ...]] = (*REGIONS, "hair", "cloth", "glasses")
"""Name of each label; `EMPTY` (255) is background. Shoulders left free by clothes are "neck"."""

HAIR: Final = LABELS.index("hair")
CLOTH: Final = LABELS.index("cloth")
GLASSES: Final = LABELS.index("glasses")
BODY: Final = 254
"""While drawing: neck or cloth, as the sheet says. No truth map has it."""

__all__ = ["BODY", "CLOTH", "EMPTY", "GLASSES", "HAIR", "LABELS"]
