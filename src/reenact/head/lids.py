# SPDX-License-Identifier: Apache-2.0
"""Lids that meet: neither through one another nor with the eyeball shining through a slit."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from .arkit import index
from .contact_constraint import ContactConstraint, LineInterpolation
from .model import Topology

_SHUT = (0.85, 0.98)  # share of the way to shut over which the lids come to touch all along
_CORNER = 0.15  # pairs that open less than this share of the widest are corners: they hardly close
_REACH = 0.20  # of the eye's width: how far from the edges of lids that cross in a corner their skin gives way


class _LidLine(nn.Module):
    """Where the lids of one eye meet. Q pairs, n vertices that a blink moves."""

    upper: Tensor  # [Q] from the nose outwards
    lower: Tensor  # [Q]
    open_by: Tensor  # [Q] metres, at rest
    closes_by: Tensor  # [Q] metres, of a whole blink
    wide: Tensor  # those of the Q that open wide
    rows: Tensor  # [n] vertices
    blink: Tensor  # [n, 3] metres

    def __init__(self, topology: Topology, neutral: Tensor, blink: Tensor, pairs: Tensor) -> None:
        """neutral, blink: [V, 3] canonical, metres, the blink such as to shut; pairs: [P, 2] (upper, lower)."""
        super().__init__()
        upper, lower = _edges(neutral, pairs)
        open_by = neutral[upper, 1] - neutral[lower, 1]
        closes_by = blink[lower, 1] - blink[upper, 1]
        rows = torch.nonzero(blink.abs().amax(dim=1) > 0.0)[:, 0]
        wide = torch.nonzero(open_by > 0.5 * open_by.max())[:, 0]
        self.along = LineInterpolation(neutral[upper, 0].abs(), neutral[rows, 0].abs())
        self.corners = ContactConstraint(topology, neutral, pairs, _REACH)
        values = {"open_by": open_by, "closes_by": closes_by, "blink": blink[rows]}
        values |= {"upper": upper, "lower": lower, "wide": wide, "rows": rows}
        for name, value in values.items():
            self.register_buffer(name, value)

    def forward(self, shapes: Tensor) -> Tensor:
        """[F, V, 3] canonical shapes, these lids let go where they cross and drawn together where they nearly touch."""
        gap = shapes[:, self.upper, 1] - shapes[:, self.lower, 1]  # [F, Q]
        crossed = (-gap[:, self.wide].mean(dim=1)).clamp(min=0.0)[:, None]
        back = crossed / self.closes_by[self.wide].mean()  # [F, 1] of a blink, for all of the lid alike
        gap = gap + back * self.closes_by
        shut = 1.0 - gap[:, self.wide].mean(dim=1) / self.open_by[self.wide].mean()
        closed = ((shut - _SHUT[0]) / (_SHUT[1] - _SHUT[0])).clamp(0.0, 1.0)
        more = closed[:, None] * gap / self.closes_by - back  # [F, Q] of a blink, place by place
        if bool(more.any()):
            shapes = shapes.index_add(1, self.rows, self.along(more)[..., None] * self.blink)
        return self.corners(shapes)


def lid_lines(topology: Topology, neutral: Tensor, actions: Tensor) -> nn.ModuleList:
    """Lines of the left eye and of the right; none of an eye that the actions [52, V, 3] do not shut."""
    lines, pairs = nn.ModuleList(), topology.lid_contacts.to(neutral.device)
    left = neutral[pairs[:, 0], 0] > 0
    for side, action in enumerate(("eyeBlinkLeft", "eyeBlinkRight")):
        own, blink = pairs[left == (side == 0)], actions[index(action)]
        upper, lower = _edges(neutral, own)
        if bool((blink[lower, 1] > blink[upper, 1]).all()):
            lines.append(_LidLine(topology, neutral, blink, own))
    return lines


def _edges(neutral: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Upper and lower vertices [Q] of the pairs that are no corners, from the nose outwards."""
    open_by = neutral[pairs[:, 0], 1] - neutral[pairs[:, 1], 1]
    own = pairs[open_by > _CORNER * open_by.max()]
    upper, lower = own[neutral[own[:, 0], 0].abs().argsort()].unbind(1)
    return upper, lower


def meet_lids(lines: Iterable[nn.Module], shapes: Tensor) -> Tensor:
    """[F, V, 3] canonical shapes, their lids made to meet.

    Squinting, looking down and blinking each close the lids; together they would shut them twice over. And a
    sculpted blink, on another's anatomy, shuts one part of the edges before the other.
    """
    for line in lines:
        shapes = line(shapes)
    return shapes
