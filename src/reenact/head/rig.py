# SPDX-License-Identifier: Apache-2.0
"""One person's head: own neutral, own 52 actions, eyeballs that turn about their own centres."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from .model import Float, HeadModel, Int, Joints, Topology
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
        eyes, limits = self.joints.eyes, self.gaze_limits
        return HeadShape(self.topology, self.neutral, self.actions, eyes, limits, self.eyeballs)

    def deform(self, expression: Float, gaze: Float) -> Float:
        """Codes [F, 52] and gaze [F, 2, 2] (radians, see head/gaze.py) -> vertices [F, V, 3].

        The eyeLook entries of `expression` are ignored: they follow from the gaze. Lids and lips do not meet yet.
        """
        codes, turned = (torch.from_numpy(np.ascontiguousarray(a, np.float32)) for a in (expression, gaze))
        return self.shape.deform(codes, turned).numpy()

    def met(self, shapes: Float, expression: Float) -> Float:
        """Shapes [F, V, 3] that codes [F, 52] made, their lids and lips made to meet: see `HeadShape.meet`."""
        given, codes = (torch.from_numpy(np.ascontiguousarray(a, np.float32)) for a in (shapes, expression))
        return self.shape.meet(given, codes).numpy()


def eyeball_vertices(topology: Topology, neutral: Float) -> tuple[Int, Int]:
    """Vertices of the subject's left (x > 0) and right eyeball."""
    rows = topology.region_vertices(*region_ids(*EYEBALL))
    left = neutral[rows, 0] > 0
    return rows[left], rows[~left]


def base_rig(model: HeadModel, identity: Float) -> Rig:
    """A rig with the base person's actions added as they are: for a first fit, before the actions are adapted.

    The offsets are scaled by the size of the face, so that at least a child's mouth does not open an adult's width.
    """
    neutral = model.neutral(identity)
    rows = np.flatnonzero(model.topology.face_weight > 0.5)
    size = np.linalg.norm(neutral[rows].std(axis=0)) / np.linalg.norm(model.base_neutral[rows].std(axis=0))
    return Rig(
        model.topology,
        neutral,
        (model.base_actions * np.float32(size)).astype(np.float32),
        model.joints(identity),
        model.gaze_limits,
        eyeball_vertices(model.topology, neutral),
    )
