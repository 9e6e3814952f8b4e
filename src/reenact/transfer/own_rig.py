# SPDX-License-Identifier: Apache-2.0
"""A rig that moves as its person does: the 52 actions, and what the transfer network adds to them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from scipy.spatial import KDTree

from reenact.head.gaze import with_gaze
from reenact.head.model import Float
from reenact.head.regions import region_ids
from reenact.head.rig import Rig
from reenact.head.smoothstep import smoothstep

from .network import frames_of
from .own_motion import OwnMotion
from .receiver import face_rows

_LIDS_M = 0.004
"""Metres around lids over which what is added to the actions fades: lids have to meet each other and the eyeball, and
a renderer of photos shows them 0.25 dB truer without (docs/transfer.md)."""


@dataclass(frozen=True)
class OwnRig(Rig):
    """`Rig`; every frame is taken as held still, so that a frame does not depend on those asked for with it."""

    motion: OwnMotion

    @staticmethod
    def of(rig: Rig) -> OwnRig:
        """Add what the shipped network says of this face."""
        motion = OwnMotion.of(rig)
        rows = face_rows() < len(rig.neutral)  # the fit mesh begins with the head's own vertices
        share = torch.from_numpy(_beside_lids(rig)[face_rows()[rows]])[:, None, None]
        kept = replace(motion, answers=share * motion.answers[torch.from_numpy(rows)])
        return OwnRig(**{f.name: getattr(rig, f.name) for f in fields(Rig)}, motion=kept)

    def deform(self, expression: Float, gaze: Float) -> Float:
        """See `Rig.deform`."""
        vertices = super().deform(expression, gaze)
        codes = torch.from_numpy(with_gaze(expression, gaze, self.gaze_limits).astype(np.float32))
        with torch.no_grad():
            held = self.motion.net.encoder(codes[:, None])[:, 0]
            moved = frames_of(self.motion.answers[None], held[None])[0]
        rows = face_rows()
        vertices[:, rows[rows < len(self.neutral)]] += moved.numpy()
        return vertices


def _beside_lids(rig: Rig) -> Float:
    """[V] 0 on the lids, 1 wherever they are further than _LIDS_M away."""
    lids = rig.neutral[rig.topology.region_vertices(*region_ids("eyelids", "eyelashes"))]
    return smoothstep(0.0, _LIDS_M, np.asarray(KDTree(lids).query(rig.neutral)[0]))
