# SPDX-License-Identifier: Apache-2.0
"""A person's own neutral and actions at one level of detail: what other tools get."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from reenact.head.arkit import index
from reenact.head.levels import Level, Levels
from reenact.head.lids import lid_lines, meet_lids
from reenact.head.model import Float, ParametricHead
from reenact.head.regions import EYEBALL, region_ids
from reenact.head.rig import Rig
from reenact.rendering import vertex_normals

from .atlas import Atlas, head_atlas
from .eye_seat import eye_seat
from .lash_strands import lash_places
from .personal_head import PersonalHead

Detail = Literal["coarse", "fit", "detailed"]
"""The control mesh, or one or two rounds of subdivision: 5,376, 21,223 or 84,369 vertices of the open head."""

_ROUNDS: Final = {"coarse": 0, "fit": 1, "detailed": 2}
_STILL_M: Final = 1e-5
"""A target leaves alone what it would move by less."""
_FURTHER: Final = 1.5
"""Times a sculpted blink, at the most, that it takes to shut eyes which static offsets have opened."""
_BLINKS: Final = (index("eyeBlinkLeft"), index("eyeBlinkRight"))


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
    lashes: Float  # [N, 2] see lash_strands

    def rows(self, *regions: str) -> NDArray[np.intp]:
        """Triangles of some regions."""
        return np.flatnonzero(np.isin(self.regions, region_ids(*regions)))

    def eyeball(self, side: int) -> NDArray[np.intp]:
        """Triangles of the subject's left (0) or right (1) eyeball."""
        rows = self.rows(*EYEBALL)
        return rows[(self.neutral[self.faces[rows, 0], 0] > 0) == (side == 0)]


def shape_of(head: PersonalHead, model: ParametricHead, levels: Levels, detail: Detail) -> Shape:
    """Neutral and targets of a person's own rig (PersonalHead.rig), subdivided; the offsets of the fit mesh added."""
    rig, coarse = head.rig(model), head.coarse_rig(model)
    finer = levels[1 : _ROUNDS[detail] + 1]
    control, actions = seated(rig)
    neutral = _upsampled(control, finer, head.static_fit)
    targets = with_met_lids(rig, neutral, _upsampled(actions, finer))
    atlas = head_atlas(model)
    for _ in finer:
        atlas = atlas.divided()
    level = levels[_ROUNDS[detail]]
    normals = vertex_normals(torch.from_numpy(neutral), torch.from_numpy(np.asarray(level.faces))).numpy()
    targets *= np.linalg.norm(targets, axis=-1, keepdims=True) > _STILL_M
    lashes = _upsampled(lash_places(rig), finer)
    shape = Shape(neutral, normals, targets, rig.joints.eyes.copy(), level.faces, level.regions, atlas, lashes)
    control, actions = seated(coarse)
    before = _upsampled(control, finer)
    actions_before = with_met_lids(coarse, before, _upsampled(actions, finer))
    skin = np.unique(shape.faces[shape.rows("skin", "eyelids")])
    for side in (0, 1):
        own = skin[(neutral[skin, 0] > 0) == (side == 0)]
        ball = np.unique(shape.faces[shape.eyeball(side)])
        eye, blink = shape.eyes[side], _BLINKS[side]
        step = eye_seat(neutral, targets[blink], before, actions_before[blink], own, neutral[ball] - eye, eye)
        neutral[ball] += step
        shape.eyes[side] += step
    return shape


def seated(rig: Rig) -> tuple[Float, Float]:
    """[V, 3] and [52, V, 3]: a rig's neutral and actions, teeth and inner lips of each where its lips want them."""
    shape = rig.shape
    with torch.no_grad():
        rest = shape.seat(shape.neutral[None])
        actions = shape.seat(shape.neutral + shape.actions) - rest
    return rest[0].numpy(), actions.numpy()


def with_met_lids(rig: Rig, neutral: Float, targets: Float) -> Float:
    """[52, N, 3]: a blink alone shuts the eye all along, as in heads.state.deformed, whatever offsets have opened it.

    neutral, targets: the rig's own at a finer level, whose first vertices are the control mesh's.
    """
    out, lines = targets.copy(), lid_lines(rig.topology, torch.from_numpy(neutral), torch.from_numpy(targets))
    for side, blink in enumerate(_BLINKS):
        upper, lower = rig.topology.lid_contacts[(neutral[rig.topology.lid_contacts[:, 0], 0] > 0) == (side == 0)].T
        opened = neutral[upper, 1] - neutral[lower, 1]
        wide = opened > 0.5 * opened.max()
        closed = (targets[blink, lower, 1] - targets[blink, upper, 1])[wide].mean()
        further = np.clip(opened[wide].mean() / max(closed, 1e-6), 1.0, _FURTHER)
        blinked = torch.from_numpy(neutral + further * targets[blink])
        out[blink] = meet_lids(lines, blinked[None])[0].numpy() - neutral
    return out


def _upsampled(values: Float, finer: tuple[Level, ...], after_first: Float | None = None) -> Float:
    """[..., V, C] of the control mesh through some levels, `after_first` [W, C] added to the first of them."""
    out = torch.from_numpy(values.copy())
    for number, level in enumerate(finer):
        out = level.upsample(out)
        if number == 0 and after_first is not None:
            out = out + torch.from_numpy(after_first)
    return out.numpy()
