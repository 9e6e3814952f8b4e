# SPDX-License-Identifier: Apache-2.0
"""A person's own head: what the fit has found, and the surfaces that follow from it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from reenact.head.levels import Levels
from reenact.head.model import Float, Int, ParametricHead
from reenact.head.motion import Motion
from reenact.head.personal import personal_rig
from reenact.head.rig import Rig
from reenact.head.state import deformed
from reenact.tracking import Person, tracked_person


@dataclass(frozen=True)
class PersonalHead:
    """Static offsets and, per frame of a performance, dynamic ones. V control vertices, W of the fit mesh."""

    track: Motion  # of the first source: one shot, its pose and camera as the joint fit left them
    static_control: Float  # [V, 3] metres, canonical: D_g on the control mesh
    static_fit: Float  # [W, 3] metres: D_g on the fit mesh
    dynamic: QuantisedOffsets  # D_f of the track's frames
    texture: NDArray[np.uint8] | None = None  # [H, W, 3] sRGB in the layout of atlas.head_atlas; None: not baked

    def rig(self, model: ParametricHead) -> Rig:
        """The control mesh with the static offset and this person's own actions."""
        return personal_rig(model, self._identity(), self.static_control)

    def person(self, model: ParametricHead) -> Person:
        """Who the tracker is to look for in other pictures: this head, its landmarks placed as in the fit."""
        return replace(tracked_person(model, self.track), rig=self.rig(model))

    def coarse_rig(self, model: ParametricHead) -> Rig:
        """The tracked rig that the offsets are added to: its actions do not know of them."""
        return personal_rig(model, self._identity())

    def _identity(self) -> Float:
        return self.track.require_clip().identity[0].numpy()

    def surface(self, rig: Rig, levels: Levels, rows: NDArray[np.integer], *, dynamic: bool = True) -> torch.Tensor:
        """[n, N_s, 3] detailed surface of some of the track's frames, canonical, metres.

        rig: `coarse_rig`, made once.
        """
        control = deformed(rig, self.track[rows]) + self.static_control
        if dynamic:
            control = control + self.dynamic.rows(rows, len(self.static_control))
        fine = levels[1].upsample(torch.from_numpy(control.astype(np.float32))) + torch.from_numpy(self.static_fit)
        return levels[2].upsample(fine)

    def neutral(self, rig: Rig, levels: Levels) -> torch.Tensor:
        """[N_s, 3] V_neutral = V^s + D_g (paper, section 2), canonical, metres; rig: `coarse_rig`."""
        control = torch.from_numpy((rig.neutral + self.static_control).astype(np.float32))
        return levels[2].upsample(levels[1].upsample(control) + torch.from_numpy(self.static_fit))


@dataclass(frozen=True)
class QuantisedOffsets:
    """F frames of offsets on some control vertices, a byte a number: 1/127 of each frame's largest."""

    vertices: Int  # [n] which control vertices
    values: NDArray[np.int8]  # [F, n, 3]
    scale: Float  # [F] metres of 127

    def rows(self, rows: NDArray[np.integer], count: int) -> Float:
        """[len(rows), count, 3] metres, 0 on the other vertices."""
        out = np.zeros((len(rows), count, 3), np.float32)
        out[:, self.vertices] = self.values[rows] * (self.scale[rows] / 127.0)[:, None, None]
        return out

    @staticmethod
    def of(offsets: Float, vertices: Int) -> QuantisedOffsets:
        """offsets: [F, V, 3] metres."""
        chosen = offsets[:, vertices]
        scale = np.maximum(np.abs(chosen).max(axis=(1, 2)), 1e-9).astype(np.float32)
        values = np.round(chosen * (127.0 / scale)[:, None, None]).astype(np.int8)
        return QuantisedOffsets(vertices, values, scale)

    @staticmethod
    def joined(parts: list[QuantisedOffsets]) -> QuantisedOffsets:
        """Chunks of one clip, one after the other."""
        return QuantisedOffsets(
            parts[0].vertices, np.concatenate([p.values for p in parts]), np.concatenate([p.scale for p in parts])
        )
