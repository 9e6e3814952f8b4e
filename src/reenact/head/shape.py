# SPDX-License-Identifier: Apache-2.0
"""The shape of one person's head as a function of expression and gaze."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .gaze import gaze_rotations, with_look_activations
from .lids import lid_lines, meet_lids
from .lips import LipLine
from .model import Float, Int, Topology


class HeadShape(nn.Module):
    """Codes to vertices in canonical head space, metres: batched, differentiable, of any float type, on any device."""

    neutral: Tensor  # [V, 3]
    actions: Tensor  # [52, 3 V] this person's own
    eyes: Tensor  # [2, 3] eyeball centres
    gaze_limits: Tensor  # [2, 4]
    _left: Tensor  # vertices of the left eyeball
    _right: Tensor

    def __init__(
        self,
        topology: Topology,
        neutral: Float,
        actions: Float,
        eyes: Float,
        gaze_limits: Float,
        eyeballs: tuple[Int, Int],
    ) -> None:
        """Take over the arrays of a rig, see `Rig`, without copies. eyes: [2, 3] eyeball centres."""
        super().__init__()
        self.register_buffer("neutral", torch.from_numpy(neutral))
        self.register_buffer("actions", torch.from_numpy(actions).flatten(1))
        self.register_buffer("eyes", torch.from_numpy(eyes))
        self.register_buffer("gaze_limits", torch.from_numpy(gaze_limits))
        for name, rows in zip(("_left", "_right"), eyeballs, strict=True):
            self.register_buffer(name, torch.from_numpy(rows.astype("int64")))
        self.lids = lid_lines(topology, neutral, actions)
        self.lips = LipLine(topology, neutral, actions)

    def deform(self, expression: Tensor, gaze: Tensor) -> Tensor:
        """Add up the actions and turn the eyeballs.

        Args:
            expression: [F, 52]; its eyeLook entries are ignored, they follow from the gaze.
            gaze: [F, 2, 2] radians, see head/gaze.py.

        Returns:
            [F, V, 3]
        """
        codes = with_look_activations(expression, gaze, self.gaze_limits)
        vertices = self.neutral + (codes @ self.actions).unflatten(1, self.neutral.shape)
        turn = gaze_rotations(gaze)
        for eye, rows in enumerate((self._left, self._right)):
            rest = self.neutral[rows] - self.eyes[eye]
            vertices = vertices.index_copy(1, rows, rest @ turn[:, eye].mT + self.eyes[eye])
        return vertices

    def meet(self, shapes: Tensor, expression: Tensor) -> Tensor:
        """Shapes [F, V, 3] that codes [F, 52] made, their lids and lips made to meet: see lids.py and lips.py."""
        return self.lips(meet_lids(self.lids, shapes), expression)

    def forward(self, expression: Tensor, gaze: Tensor, offset: Tensor | None = None) -> Tensor:
        """[F, V, 3]; offset: [F, V, 3] metres that are added before lids and lips meet."""
        shapes = self.deform(expression, gaze)
        return self.meet(shapes if offset is None else shapes + offset, expression)
