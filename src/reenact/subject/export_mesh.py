# SPDX-License-Identifier: Apache-2.0
"""A person's own neutral and actions at one level of detail: what other tools get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reenact.head.eye_seat import BLINKS
from reenact.head.levels import refine
from reenact.head.lids import lid_lines, meet_lids
from reenact.head.model import Float
from reenact.head.regions import EYEBALL, region_ids
from reenact.head.shape import HeadShape
from reenact.head.subject import Subject
from reenact.rendering import vertex_normals

from .atlas import Atlas, head_atlas

Detail = Literal["coarse", "fit", "detailed"]
"""The control mesh, or one or two rounds of subdivision: 5,376, 21,223 or 84,369 vertices of the open head."""

_ROUNDS: Final = {"coarse": 0, "fit": 1, "detailed": 2}
_STILL_M: Final = 1e-5
"""A target leaves alone what it would move by less."""
_FURTHER: Final = 1.5
"""Times a sculpted blink, at the most, that it takes to shut eyes which static offsets have opened."""


@dataclass(frozen=True)
class Shape:
    """Canonical head space, metres; N vertices, G triangles."""

    neutral: Float  # [N, 3]
    normals: Float  # [N, 3]
    targets: Float  # [52, N, 3] offsets in the order of heads.arkit.ACTIONS, 0 on the eyeballs
    eyes: Float  # [2, 3] the eyeballs' centres, the subject's left first
    faces: NDArray[np.integer]  # [G, 3]
    regions: NDArray[np.uint8]  # [G]
    atlas: Atlas
    lashes: Float  # [N, 2] see `_lash_places`

    def rows(self, *regions: str) -> NDArray[np.intp]:
        """Find the triangles of some regions."""
        return np.flatnonzero(np.isin(self.regions, region_ids(*regions)))

    def eyeball(self, side: int) -> NDArray[np.intp]:
        """Find the triangles of the subject's left (0) or right (1) eyeball."""
        rows = self.rows(*EYEBALL)
        return rows[(self.neutral[self.faces[rows, 0], 0] > 0) == (side == 0)]


def shape_of(subject: Subject, detail: Detail) -> Shape:
    """Make neutral and targets of a subject at a level of detail."""
    head, levels, rounds = subject.head, subject.levels, _ROUNDS[detail]
    level = levels[rounds]
    rest, actions = seated(head)
    neutral = refine(levels, rest, rounds, subject.fine_offset if rounds else None)
    targets = _with_met_lids(head, neutral, refine(levels, actions, rounds))
    targets = targets * (targets.norm(dim=-1, keepdim=True) > _STILL_M)
    atlas = head_atlas(subject.model)
    for _ in range(rounds):
        atlas = atlas.divided()
    normals = vertex_normals(neutral, level.faces)
    lashes = refine(levels, torch.from_numpy(_lash_places(head)), rounds)
    return Shape(
        neutral.numpy(),
        normals.numpy(),
        targets.numpy(),
        head.eyes.numpy(),
        level.faces.numpy(),
        level.regions.numpy(),
        atlas,
        lashes.numpy(),
    )


def seated(head: HeadShape) -> tuple[Tensor, Tensor]:
    """[V, 3] and [52, V, 3]: a head's neutral and actions, teeth and inner lips of each where its lips want them."""
    with torch.no_grad():
        rest = head.seat(head.neutral[None])
        return rest[0], head.seat(head.neutral + head.actions) - rest


def _with_met_lids(head: HeadShape, neutral: Tensor, targets: Tensor) -> Tensor:
    """[52, N, 3]: a blink alone shuts the eye all along, as in head.state.deformed, whatever offsets have opened it.

    neutral, targets: the head's own at a finer level, whose first vertices are the control mesh's.
    """
    out, lines, pairs = targets.clone(), lid_lines(head.topology, neutral, targets), head.topology.lid_contacts
    left = neutral[pairs[:, 0], 0] > 0
    for side, blink in enumerate(BLINKS):
        upper, lower = pairs[left == (side == 0)].T
        opened = neutral[upper, 1] - neutral[lower, 1]
        wide = opened > 0.5 * opened.max()
        closed = (targets[blink, lower, 1] - targets[blink, upper, 1])[wide].mean()
        further = (opened[wide].mean() / closed.clamp(min=1e-6)).clamp(1.0, _FURTHER)
        out[blink] = meet_lids(lines, (neutral + further * targets[blink])[None])[0] - neutral
    return out


def _lash_places(head: HeadShape) -> Float:
    """Return the places of lashes in their picture [V, 2].

    u runs along the band from the nose outwards, v from 0 at the root to 1 at the tip; both are 0 on other
    vertices. Roots are nearest to the eyeball.
    """
    neutral = head.neutral.numpy()
    out = np.zeros((len(neutral), 2), np.float32)
    rows = head.topology.region_vertices(*region_ids("eyelashes")).numpy()
    for side, centre in enumerate(head.eyes.numpy()):
        own = rows[(neutral[rows, 0] > 0) == (side == 0)]
        upper = neutral[own, 1] > neutral[own, 1].mean()
        for band in (own[upper], own[~upper]):
            across = np.abs(neutral[band, 0])
            far = np.linalg.norm(neutral[band] - centre, axis=1)
            for column, values in enumerate((across, far)):
                out[band, column] = (values - values.min()) / np.ptp(values)
    return out
