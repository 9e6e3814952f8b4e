# SPDX-License-Identifier: Apache-2.0
"""What a pixel of a portrait shows, as coarse as a network of a few megabytes can tell."""

from __future__ import annotations

from typing import Final

CLASSES: Final[tuple[str, ...]] = ("background", "skin", "hair", "cloth", "eyes", "lips", "mouth", "glasses")
"""skin: face, ears and neck, lids and lashes too. eyes: what of the eyeball is seen. mouth: teeth, tongue, cavity."""

HEAD: Final[tuple[int, ...]] = tuple(CLASSES.index(c) for c in ("skin", "hair", "eyes", "lips", "mouth", "glasses"))
FACE: Final[tuple[int, ...]] = tuple(CLASSES.index(c) for c in ("skin", "eyes", "lips", "mouth"))
"""Where a head model without hair or glasses has a surface of its own."""
