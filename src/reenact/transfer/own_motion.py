# SPDX-License-Identifier: Apache-2.0
"""A performance as a receiver's own face gives it: the shipped transfer network at work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from reenact.head.levels import open_levels
from reenact.head.motion import Motion
from reenact.head.rig import Rig
from reenact.head.state import codes_of, deformed
from reenact.media.files import asset
from reenact.media.tensors import load_weights

from .network import TransferNet, frames_of
from .receiver import face_rows, receiver_features

ASSET = asset("transfer.safetensors")
_CHUNK = 32  # frames at a time


@lru_cache(maxsize=1)
def load_transfer(path: Path = ASSET) -> TransferNet:
    """Load the network, with its shipped weights or others. Raises InputError."""
    net = TransferNet()
    load_weights(net, path, "transfer network", "reenact train transfer")
    return net.eval().requires_grad_(False)


@dataclass(frozen=True)
class OwnMotion:
    """A receiver who is known to the network. W vertices of the fit mesh, N of them on the face."""

    rig: Rig  # of the open head's topology, static offsets within its neutral
    narrow: Tensor  # [W, 3] metres: static offsets on the fit mesh
    answers: Tensor  # [N, 3, CODES] see VertexMLP
    net: TransferNet

    @staticmethod
    def of(rig: Rig, narrow: Tensor | None = None, net: TransferNet | None = None) -> OwnMotion:
        """narrow: None for none. net: None for the shipped one."""
        net, fit = net or load_transfer(), open_levels()[1]
        neutral = fit.upsample(torch.from_numpy(rig.neutral))
        narrow = torch.zeros_like(neutral) if narrow is None else narrow
        with torch.no_grad():
            answers = net.vertices(receiver_features((neutral + narrow)[None]))[0]
        return OwnMotion(rig, narrow, answers, net)

    @torch.no_grad()
    def offsets(self, states: Motion) -> Tensor:
        """[F, N, 3] D_f on the face (`face_rows`) of consecutive frames, metres, canonical."""
        codes = torch.from_numpy(codes_of(self.rig, states))[None]
        return frames_of(self.answers[None], self.net.encoder(codes))[0]

    @torch.no_grad()
    def surfaces(self, states: Motion) -> Iterator[Tensor]:
        """[f, W, 3] fit meshes of consecutive frames, canonical, metres, some at a time."""
        rows, fit = torch.from_numpy(face_rows()), open_levels()[1]
        for start in range(0, len(states), _CHUNK):
            # The filter in time sees two frames beyond the chunk's ends.
            low, high = max(0, start - 2), min(len(states), start + _CHUNK + 2)
            some = states[start : start + _CHUNK]
            codes = torch.from_numpy(codes_of(self.rig, states[low:high]))[None]
            told = self.net.encoder(codes)[0, start - low :][: len(some)]
            # Vertices first, frames last: one product of matrices for subdivision and one for D_f, nothing moved about.
            control = torch.from_numpy(deformed(self.rig, some)).permute(1, 2, 0)
            surface = fit.upsample(control.flatten(1)).unflatten(1, (3, -1)).add_(self.narrow[..., None])
            surface.index_add_(0, rows, (self.answers.flatten(0, 1) @ told.T).unflatten(0, (-1, 3)))
            yield surface.permute(2, 0, 1)
