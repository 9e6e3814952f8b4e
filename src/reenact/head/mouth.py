# SPDX-License-Identifier: Apache-2.0
"""Teeth and tongue behind the lips: a photo seldom shows them, and a fit of the lips does not say where they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .arkit import index
from .model import Topology
from .regions import region_ids

ADULT_EYES_M = 0.064
"""Distance of the eyeballs' centres of an adult; lengths of the mouth below are of such a head."""
_BEHIND_M = 0.0065  # upper incisors are this far behind the line of the shut lips
_SHOWN_M = 0.0038  # and end this far below it (adults: 1 to 4 mm)
_OVERJET_M = 0.0022  # the lower incisors bite this far behind the upper
_OVERBITE_M = 0.0018  # and this far above their edge
_TONGUE = 0.7  # height kept of a tongue that fills the shut mouth: once the jaw drops, it lies low
_BARED_M = 0.0125  # a raised upper lip bares the crowns of the incisors and a little gum
# A lower lip can bare the lower incisors while the teeth are near each other. The farther the jaw drops, the more
# the lip is stretched over them, and in a scream it leaves a rim.
_LOWER_BARED_M = (0.0060, 0.0015)
_JAW_DROP_M = (0.001, 0.009)  # distance of the biting edges over which that happens
_LIP_M = (0.0110, 0.0060)  # thickness of the upper and the lower lip, which lie against the teeth
_FRONT_M = 0.006  # from the middle of the mouth: the two central incisors and the lips over them
_TONGUE_OUT = index("tongueOut")


def head_size(eyes: Tensor) -> Tensor:
    """Return the size of a head as a multiple of an adult's, by its eyeballs' centres [2, 3] metres."""
    return (eyes[0, 0] - eyes[1, 0]).abs() / ADULT_EYES_M


class Bite(nn.Module):
    """Where upper teeth, lower teeth and tongue of one head sit."""

    size: Tensor  # of the head, against an adult's
    upper: Tensor  # vertices of the upper teeth
    lower: Tensor  # of the lower teeth
    tongue: Tensor
    lips: Tensor  # [n, 2] (upper, lower) vertices that touch in the middle of the mouth
    _contacts: Tensor  # [P, 2] all that touch

    def __init__(self, topology: Topology, neutral: Tensor, eyes: Tensor) -> None:
        """neutral: [V, 3] canonical, metres; eyes: [2, 3] eyeball centres."""
        super().__init__()
        rows = [topology.region_vertices(*region_ids(name)) for name in ("teeth_upper", "teeth_lower", "tongue")]
        contacts = topology.lip_contacts.to(neutral.device)
        self.register_buffer("size", head_size(eyes))
        for name, value in zip(("upper", "lower", "tongue"), rows, strict=True):
            self.register_buffer(name, value.to(neutral.device))
        self.has_teeth = bool(len(rows[0]) and len(rows[1]))
        self.register_buffer("_contacts", contacts)
        self.register_buffer("lips", contacts[self._in_front(neutral, contacts[:, 0])])
        if self.has_teeth:
            self._find_incisors(neutral)

    def _in_front(self, neutral: Tensor, rows: Tensor) -> Tensor:
        """[N] whether vertices are near the middle of the mouth."""
        return neutral[rows, 0].abs() < _FRONT_M * self.size

    def _find_incisors(self, neutral: Tensor) -> None:
        """The lowest vertex of the upper incisors, and the highest of the lower ones."""
        upper, lower = (rows[self._in_front(neutral, rows)] for rows in (self.upper, self.lower))
        self._edge = int(upper[neutral[upper, 1].argmin()])
        self._bite = int(lower[neutral[lower, 1].argmax()])
        self._lower_front = lower

    def seat_at_rest(self, neutral: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Move the teeth to where they are seen in a mouth at rest, and flatten the tongue.

        Args:
            neutral: [V, 3] canonical, metres.
            actions: [52, V, 3]; the tongue that is put out is lifted over teeth and lip by what it was flattened.

        Returns:
            The same, moved.
        """
        if not self.has_teeth:
            return neutral, actions
        contacts = self._contacts.flatten()
        line = neutral[contacts[self._in_front(neutral, contacts)]].mean(0)
        in_profile = line.new_tensor([0.0, 1.0, 1.0])
        place = line - self.size * line.new_tensor([0.0, _SHOWN_M, _BEHIND_M])
        shift = (place - neutral[self._edge]) * in_profile
        neutral = neutral.index_add(0, self.upper, shift.expand(len(self.upper), 3))
        place = neutral[self._edge] + self.size * line.new_tensor([0.0, _OVERBITE_M, -_OVERJET_M])
        shift = (place - neutral[self._bite]) * in_profile
        neutral = neutral.index_add(0, self.lower, shift.expand(len(self.lower), 3))
        if len(self.tongue):
            height = neutral[self.tongue, 1]
            lift = (1.0 - _TONGUE) * (height - height.min())
            up = line.new_tensor([0.0, 1.0, 0.0])
            back = shift * line.new_tensor([0.0, 0.0, 1.0])
            neutral = neutral.index_add(0, self.tongue, back - lift[:, None] * up)
            out = actions[_TONGUE_OUT].index_add(0, self.tongue, lift[:, None] * up)
            actions = torch.cat([actions[:_TONGUE_OUT], out[None], actions[_TONGUE_OUT + 1 :]])
        self._find_incisors(neutral)
        return neutral, actions

    def forward(self, shapes: Tensor) -> Tensor:
        """Seat teeth and tongue where lips like these would have them.

        A fit explains lips only: it raises, lowers and pushes them farther off the teeth than lips go, where in truth
        the jaw or the head moved, and pushes the jaw forward for a full lower lip.

        Args:
            shapes: [F, V, 3] canonical, metres.

        Returns:
            [F, V, 3]
        """
        if not self.has_teeth:
            return shapes
        size = self.size
        above, below = (shapes[:, column].mean(dim=1) for column in self.lips.unbind(1))
        edge, bite = shapes[:, self._edge], shapes[:, self._bite]
        ahead = (above[:, 2] - _LIP_M[0] * size - edge[:, 2]).clamp(min=0.0)
        edge_z = edge[:, 2] + ahead
        rise = (above[:, 1] - edge[:, 1] - _BARED_M * size).clamp(min=0.0)
        drop = (edge[:, 1] - bite[:, 1]) / size
        dropped = ((drop - _JAW_DROP_M[0]) / (_JAW_DROP_M[1] - _JAW_DROP_M[0])).clamp(0.0, 1.0)
        most = (_LOWER_BARED_M[0] + (_LOWER_BARED_M[1] - _LOWER_BARED_M[0]) * dropped) * size
        fall = (bite[:, 1] - below[:, 1] - most).clamp(min=0.0)
        forward = (below[:, 2] - _LIP_M[1] * size - bite[:, 2]).clamp(min=0.0)
        # Lower teeth in front of the upper would be seen at once.
        front = shapes[:, self._lower_front, 2].amax(dim=1)
        forward = forward - (front + forward - (edge_z - _OVERJET_M * size)).clamp(min=0.0)
        still = torch.zeros_like(rise)
        up = torch.stack([still, rise, ahead], -1)[:, None]
        down = torch.stack([still, -fall, forward], -1)[:, None]
        jaw = torch.cat([self.lower, self.tongue])
        shapes = shapes.index_add(1, self.upper, up.expand(-1, len(self.upper), -1))
        return shapes.index_add(1, jaw, down.expand(-1, len(jaw), -1))
