# SPDX-License-Identifier: Apache-2.0
"""Lips that press on one another and do not pass through."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .arkit import index
from .contact_constraint import ContactConstraint
from .model import Topology

_REACH = 0.30  # of the mouth's width: how far from where they meet the lips give way
_PRESS_M = 0.0002  # soft lips that only just touched would show a hair of teeth between them
_MIDDLE = 0.5  # of the mouth's half width
_CLOSE = index("mouthClose")


class LipLine(nn.Module):
    """Where the lips of one head meet.

    Smiling, puckering and pressing are each sculpted to keep a mouth shut; together they would shut it several times
    over. First of all mouthClose is taken back, which shuts a mouth no farther than the jaw has opened it.
    """

    close: Tensor  # [V, 3] metres, mouthClose
    middle: Tensor  # those of the pairs that are in the middle of the mouth
    closes_by: Tensor  # metres, of a whole mouthClose in the middle

    def __init__(self, topology: Topology, neutral: Tensor, actions: Tensor) -> None:
        """neutral: [V, 3], actions: [52, V, 3], canonical, metres."""
        super().__init__()
        self.contact = ContactConstraint(topology, neutral, topology.lip_contacts, _REACH, _PRESS_M)
        x, close = self.contact.x, actions[_CLOSE]
        middle = torch.nonzero((x - x.mean()).abs() < _MIDDLE * 0.5 * (x.amax() - x.amin()))[:, 0]
        upper, lower = self.contact.upper[middle], self.contact.lower[middle]
        closes_by = (close[lower, 1] - close[upper, 1]).mean()
        for name, value in {"close": close, "middle": middle, "closes_by": closes_by}.items():
            self.register_buffer(name, value)

    def forward(self, shapes: Tensor, expression: Tensor) -> Tensor:
        """[F, V, 3] canonical shapes that codes [F, 52] made, their lips brought to where they touch."""
        if self.closes_by > 0.0:
            back = self.contact.through(shapes)[:, self.middle].mean(dim=1) / self.closes_by
            back = torch.minimum(back, expression[:, _CLOSE]).clamp(min=0.0)
            shapes = shapes - back[:, None, None] * self.close
        return self.contact(shapes)
