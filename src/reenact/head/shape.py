# SPDX-License-Identifier: Apache-2.0
"""The shape of one person's head as a function of expression, gaze and dynamic offsets."""

from __future__ import annotations

from torch import Tensor, nn

from .gaze import gaze_rotations, with_look_activations
from .inner_lips import InnerLips
from .lids import lid_lines, meet_lids
from .lips import LipLine
from .model import Topology
from .mouth import Bite
from .regions import EYEBALL, region_ids


def deform(
    neutral: Tensor,
    actions: Tensor,
    eyes: Tensor,
    gaze_limits: Tensor,
    eyeballs: tuple[Tensor, Tensor],
    expression: Tensor,
    gaze: Tensor,
) -> Tensor:
    """Add actions to a neutral, and turn the eyeballs rigidly.

    Args:
        neutral: [N, 3] points of a head, canonical, metres: all of its vertices, or its landmarks.
        actions: [52, N, 3] their offsets.
        eyes: [2, 3] eyeball centres.
        gaze_limits: [2, 4], see gaze.py.
        eyeballs: which of the points are on the left and on the right eyeball.
        expression: [F, 52]; its eyeLook entries are ignored, they follow from the gaze.
        gaze: [F, 2, 2] radians.

    Returns:
        [F, N, 3]
    """
    codes = with_look_activations(expression, gaze, gaze_limits)
    points = neutral + (codes @ actions.flatten(1)).unflatten(1, neutral.shape)
    turn = gaze_rotations(gaze)
    for eye, rows in enumerate(eyeballs):
        rest = neutral[rows] - eyes[eye]
        points = points.index_copy(1, rows, rest @ turn[:, eye].mT + eyes[eye])
    return points


class HeadShape(nn.Module):
    """Codes to vertices in canonical head space, metres: batched, differentiable, of any float type, on any device.

    Args:
        topology: of the head model.
        neutral: [V, 3], teeth and tongue seated, see `Bite.seat_at_rest`.
        actions: [52, V, 3] this person's own.
        joints: [5, 3] neck, head, jaw, left eye, right eye.
        gaze_limits: [2, 4], see gaze.py.
        eyeballs: vertices of the left and the right eyeball.
    """

    neutral: Tensor  # [V, 3] teeth and tongue where they are seen in a mouth at rest
    actions: Tensor  # [52, V, 3]
    joints: Tensor  # [5, 3] neck, head, jaw, left eye, right eye
    gaze_limits: Tensor  # [2, 4]
    _left: Tensor  # vertices of the left eyeball
    _right: Tensor

    def __init__(
        self,
        topology: Topology,
        neutral: Tensor,
        actions: Tensor,
        joints: Tensor,
        gaze_limits: Tensor,
        eyeballs: tuple[Tensor, Tensor],
    ) -> None:
        super().__init__()
        self.topology = topology
        buffers = {"neutral": neutral, "actions": actions, "joints": joints, "gaze_limits": gaze_limits}
        for name, value in buffers.items():
            self.register_buffer(name, value)
        for name, rows in zip(("_left", "_right"), eyeballs, strict=True):
            self.register_buffer(name, rows.to(neutral.device))
        self.lids = lid_lines(topology, neutral, actions)
        self.lips = LipLine(topology, neutral, actions)
        self.bite = Bite(topology, neutral, self.eyes)
        self.inner_lips = InnerLips(topology, neutral, self.eyes)

    @property
    def eyes(self) -> Tensor:
        """[2, 3] eyeball centres, the subject's left first."""
        return self.joints[3:]

    @property
    def eyeballs(self) -> tuple[Tensor, Tensor]:
        """Vertices of the left and the right eyeball."""
        return self._left, self._right

    def deform(self, expression: Tensor, gaze: Tensor) -> Tensor:
        """Add up the actions and turn the eyeballs.

        Args:
            expression: [F, 52]; its eyeLook entries are ignored, they follow from the gaze.
            gaze: [F, 2, 2] radians, see head/gaze.py.

        Returns:
            [F, V, 3]
        """
        return deform(self.neutral, self.actions, self.eyes, self.gaze_limits, self.eyeballs, expression, gaze)

    def meet(self, shapes: Tensor, expression: Tensor) -> Tensor:
        """Make lids and lips meet, and seat teeth, tongue and the inner sides of the lips behind them.

        shapes: [F, V, 3] that codes [F, 52] made. See lids.py, lips.py, mouth.py and inner_lips.py.
        """
        return self.seat(self.lips(meet_lids(self.lids, shapes), expression))

    def seat(self, shapes: Tensor) -> Tensor:
        """[F, V, 3] with teeth, tongue and the inner sides of the lips behind lips like these."""
        return self.inner_lips(self.bite(shapes))

    def forward(self, expression: Tensor, gaze: Tensor, dynamic_offset: Tensor | None = None) -> Tensor:
        """[F, V, 3]; dynamic_offset: [F, V, 3] metres that are added before lids, lips and mouth are made to fit."""
        shapes = self.deform(expression, gaze)
        return self.meet(shapes if dynamic_offset is None else shapes + dynamic_offset, expression)


def eyeball_vertices(topology: Topology, neutral: Tensor) -> tuple[Tensor, Tensor]:
    """Find the vertices of the subject's left (x > 0) and right eyeball; neutral: [V, 3]."""
    rows = topology.region_vertices(*region_ids(*EYEBALL))
    left = neutral[rows, 0] > 0
    return rows[left], rows[~left]
