# SPDX-License-Identifier: Apache-2.0
"""Lips that press on one another and do not pass through."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .arkit import index
from .contact_constraint import ContactConstraint
from .model import Float, Topology

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

    def __init__(self, topology: Topology, neutral: Float, actions: Float) -> None:
        """neutral: [V, 3], actions: [52, V, 3], canonical, metres."""
        super().__init__()
        self.contact = ContactConstraint(topology, neutral, topology.lip_contacts, _REACH, _PRESS_M)
        x, close = self.contact.x.numpy(), actions[_CLOSE]
        middle = np.flatnonzero(np.abs(x - x.mean()) < _MIDDLE * 0.5 * np.ptp(x))
        upper, lower = self.contact.upper.numpy()[middle], self.contact.lower.numpy()[middle]
        self._closes_by = float((close[lower, 1] - close[upper, 1]).mean())
        self.register_buffer("close", torch.from_numpy(np.ascontiguousarray(close, np.float32)))
        self.register_buffer("middle", torch.from_numpy(middle))

    def forward(self, shapes: Tensor, expression: Tensor) -> Tensor:
        """[F, V, 3] canonical shapes that codes [F, 52] made, their lips brought to where they touch."""
        if self._closes_by > 0.0:
            back = self.contact.through(shapes)[:, self.middle].mean(dim=1) / self._closes_by
            back = torch.minimum(back, expression[:, _CLOSE]).clamp(min=0.0)
            shapes = shapes - back[:, None, None] * self.close
        return self.contact(shapes)
