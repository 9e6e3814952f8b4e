# SPDX-License-Identifier: Apache-2.0
"""One person's head: own neutral, own 52 actions, eyeballs that turn about their own centres."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from .model import Float, Int, Joints, ParametricHead, Topology
from .mouth import Bite
from .regions import EYEBALL, region_ids
from .shape import HeadShape


@dataclass(frozen=True)
class Rig:
    """What a performance is applied to.  Canonical head space, metres."""

    topology: Topology
    neutral: Float  # [V, 3]
    actions: Float  # [52, V, 3] this person's own offsets
    joints: Joints
    gaze_limits: Float  # [2, 4]
    eyeballs: tuple[Int, Int] = field(repr=False)  # vertices of the left and right eyeball

    @cached_property
    def shape(self) -> HeadShape:
        """The same as a function in torch."""
        arrays = (self.neutral, self.actions, self.joints.eyes, self.gaze_limits)
        neutral, actions, eyes, limits = map(_tensor, arrays)
        return HeadShape(self.topology, neutral, actions, eyes, limits, self.eyeballs)

    def deform(self, expression: Float, gaze: Float) -> Float:
        """Codes [F, 52] and gaze [F, 2, 2] (radians, see head/gaze.py) -> vertices [F, V, 3].

        The eyeLook entries of `expression` are ignored: they follow from the gaze. Lids and lips do not meet yet, see
        `met`.
        """
        return self.shape.deform(_tensor(expression), _tensor(gaze)).numpy()

    def met(self, shapes: Float, expression: Float) -> Float:
        """Shapes [F, V, 3] that codes [F, 52] made, their lids, lips and mouth made to fit: see `HeadShape.meet`."""
        return self.shape.meet(_tensor(shapes), _tensor(expression)).numpy()

    def hidden_depth(self, shapes: Float) -> Float:
        """[F, V] metres by which shapes [F, V, 3] are rendered deeper than they are: see `InnerLips.hidden_depth`."""
        return self.shape.inner_lips.hidden_depth(_tensor(shapes)).numpy()

    def depth_behind_lips(self, shape: Float, rows: Int) -> Float:
        """[N] metres along the head's axis that vertices `rows` are behind where the lips meet before them.

        shape: [V, 3] canonical.
        """
        which = torch.from_numpy(rows.astype(np.int64))
        return self.shape.inner_lips.depth_behind_lips(_tensor(shape)[None], which)[0].numpy()

    def lip_lines(self, values: Float) -> Float:
        """[V, C] -> [2, P, C] along the line where the lips meet, on the upper and the lower, from the right."""
        return self.shape.inner_lips.lines(_tensor(values)[None])[0].numpy()


def _tensor(values: Float) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def eyeball_vertices(topology: Topology, neutral: Float) -> tuple[Int, Int]:
    """Vertices of the subject's left (x > 0) and right eyeball."""
    rows = topology.region_vertices(*region_ids(*EYEBALL))
    left = neutral[rows, 0] > 0
    return rows[left], rows[~left]


def base_rig(model: ParametricHead, identity: Float) -> Rig:
    """A rig with the base person's actions added as they are: for a first fit, before the actions are adapted.

    The offsets are scaled by the size of the face, so that at least a child's mouth does not open an adult's width.
    """
    neutral = model.neutral(identity)
    rows = np.flatnonzero(model.topology.face_weight > 0.5)
    size = np.linalg.norm(neutral[rows].std(axis=0)) / np.linalg.norm(model.base_neutral[rows].std(axis=0))
    actions = (model.base_actions * np.float32(size)).astype(np.float32)
    return seated_rig(model, neutral, actions, model.joints(identity))


def seated_rig(model: ParametricHead, neutral: Float, actions: Float, joints: Joints) -> Rig:
    """A rig whose teeth and tongue sit where they are seen in a mouth at rest, see mouth.py."""
    eyes, at_rest = torch.from_numpy(joints.eyes), torch.from_numpy(neutral)
    bite = Bite(model.topology, at_rest, eyes)
    seated, own = (x.numpy() for x in bite.seat_at_rest(at_rest, torch.from_numpy(actions)))
    balls = eyeball_vertices(model.topology, neutral)
    return Rig(model.topology, seated, own, joints, model.gaze_limits, balls)
