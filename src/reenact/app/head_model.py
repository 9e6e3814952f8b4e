# SPDX-License-Identifier: Apache-2.0
"""Which head model a command uses: the open one, or a file of the user's (experimental)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import tyro

if TYPE_CHECKING:
    from reenact.head.model import ParametricHead

log = logging.getLogger(__name__)

_OFF_MM: Final = 6.0
"""Twice of what the detector scatters by, see tracking/sightings.py."""

HeadModelFile = Annotated[
    Path | None,
    tyro.conf.arg(
        metavar="FILE",
        help="Experimental: your own SMPL-X or FLAME file, .npz or .safetensors, to use in place of our head; see "
        "docs/head-models.md.",
        help_behavior_hint="(default: our own, open head)",
    ),
]


def chosen_head(path: Path | None) -> ParametricHead:
    """The open head, or that of a file, shown to the landmark detector: the open head may have been laid on it wrongly.

    Raises InputError if the file is no model of a head.
    """
    from reenact.head.open import open_head

    if path is None:
        return open_head()
    from reenact.head.smplx import supplied_head
    from reenact.tracking.sightings import landmarks_off_mm

    model = supplied_head(path)
    off_mm = landmarks_off_mm(model)
    if off_mm is None or off_mm > _OFF_MM:
        seen = "no face" if off_mm is None else f"landmarks {off_mm:.0f} mm from where they were found by its shape"
        log.warning("%s: on pictures of its template the detector sees %s; do not trust the fit", path, seen)
    return model
