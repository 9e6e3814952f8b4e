# SPDX-License-Identifier: Apache-2.0
"""A rig that moves as its person does: the 52 actions, and what the transfer network adds to them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from reenact.heads.gaze import with_gaze
from reenact.heads.model import Float
from reenact.heads.rig import Rig

from .habits import size_of
from .network import TransferNet, frames_of
from .own_motion import OwnMotion
from .receiver import face_rows


@dataclass(frozen=True)
class OwnRig(Rig):
    """`Rig`; every frame is taken as held still, so that a frame does not depend on those asked for with it."""

    motion: OwnMotion

    @staticmethod
    def of(rig: Rig, like: Rig | None = None, net: TransferNet | None = None) -> OwnRig:
        """The same rig with what the network adds for this face.

        like: add what another face would do instead, in its own size: what copying offsets from a performer comes to
        (the paper's ablation b). net: None for the shipped one.
        """
        motion = OwnMotion.of(like or rig, net=net)
        ratio = 1.0 if like is None else size_of(rig.neutral) / size_of(like.neutral)
        rows = torch.from_numpy(face_rows() < len(rig.neutral))  # the fit mesh begins with the head's own vertices
        kept = replace(motion, answers=ratio * motion.answers[rows])
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
