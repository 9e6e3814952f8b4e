# SPDX-License-Identifier: Apache-2.0
"""A head model whose every neutral carries an offset that its basis does not hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .model import Float, HeadModel, Int, Joints, Topology
from .rig import eyeball_vertices


class ReshapedHead:
    """`HeadModel`: another model's, each neutral plus `offset` [V, 3] metres.

    Eyes turn about where the offset puts the eyeballs; the other joints stay the model's.
    """

    def __init__(self, model: HeadModel, offset: Float) -> None:
        self._model, self._offset = model, offset
        self.name = f"{model.name}, reshaped"
        self.topology: Topology = model.topology

    @property
    def identity_size(self) -> int:
        return self._model.identity_size

    @property
    def base_neutral(self) -> Float:
        return self._model.base_neutral

    @property
    def base_actions(self) -> Float:
        return self._model.base_actions

    @property
    def gaze_limits(self) -> Float:
        return self._model.gaze_limits

    def neutral(self, identity: Float) -> Float:
        return self._model.neutral(identity) + self._offset

    def joints(self, identity: Float) -> Joints:
        joints = self._model.joints(identity)
        balls = eyeball_vertices(self.topology, self._model.base_neutral)
        moved = [self._offset[rows].mean(axis=0) if len(rows) else np.zeros(3, np.float32) for rows in balls]
        return replace(joints, eyes=joints.eyes + np.stack(moved).astype(np.float32))

    def identity_basis(self, vertices: Int) -> tuple[Float, Float]:
        mean, basis = self._model.identity_basis(vertices)
        return mean + self._offset[vertices], basis
