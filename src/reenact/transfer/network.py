# SPDX-License-Identifier: Apache-2.0
"""The driving encoder E and the vertex MLP G (paper, section 2): driving codes on a subject's anatomy.

G predicts the offset of each vertex of a subject for each of D codes, once a subject; a frame is then a product of that
with the frame's codes. What is not linear in the motion (a jaw open and a smile are more than both) is in E.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, silu

from reenact.head.arkit import ACTIONS

from .subject_features import FEATURES, WHOLE, SubjectFeatures, face_rows

CODES = 64
_HIDDEN, _VERTEX, _OWN, _WHOLE = 128, 128, 16, 48
_BESIDE = 2  # frames before and after its own that a frame's code is made from


class DrivingEncoder(nn.Module):
    """Expression codes [B, F, 52] (jaw, tongue and, as eyeLook, gaze among them) -> [B, F, CODES], 0 at rest."""

    def __init__(self) -> None:
        super().__init__()
        taps = torch.zeros(len(ACTIONS), 1, 2 * _BESIDE + 1)
        taps[..., _BESIDE] = 1.0
        self.taps = nn.Parameter(taps)  # of a filter in time, of each action's own
        self.enter = nn.Linear(len(ACTIONS), _HIDDEN)
        self.mix = nn.Linear(_HIDDEN, _HIDDEN)
        self.leave = nn.Linear(_HIDDEN, CODES, bias=False)
        self.direct = nn.Linear(len(ACTIONS), CODES, bias=False)
        with torch.no_grad():  # to begin with a code is an action, the last ones are free
            self.direct.weight.copy_(torch.eye(CODES, len(ACTIONS)))

    def forward(self, codes: Tensor) -> Tensor:
        first, last = codes[:, :1].expand(-1, _BESIDE, -1), codes[:, -1:].expand(-1, _BESIDE, -1)
        padded = torch.cat([first, codes, last], 1)
        # Whatever the filter, a face that is held still is seen as it is.
        taps = self.taps / self.taps.sum(-1, keepdim=True)
        smooth = conv1d(padded.transpose(1, 2), taps, groups=len(ACTIONS)).transpose(1, 2)
        return self._of(smooth) - self._of(torch.zeros_like(smooth[:1, :1]))

    def _of(self, codes: Tensor) -> Tensor:
        return self.leave(silu(self.mix(silu(self.enter(codes))))) + self.direct(codes)


class VertexMLP(nn.Module):
    """A subject's face -> the offset of each of its N vertices for each code."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.Parameter(0.1 * torch.randn(len(face_rows()), _OWN))  # features of a vertex, whosever it is
        self.whole = nn.Sequential(nn.Linear(WHOLE, 96), nn.SiLU(), nn.Linear(96, _WHOLE), nn.SiLU())
        self.enter = nn.Linear(FEATURES + _OWN, _VERTEX)
        self.enter_whole = nn.Linear(_WHOLE, _VERTEX, bias=False)
        self.mix = nn.Linear(_VERTEX, _VERTEX)
        self.more = nn.Linear(_VERTEX, 3 * CODES)
        self.strength = nn.Linear(_VERTEX, CODES)
        self.usual = nn.Parameter(torch.zeros(len(face_rows()), 3, CODES))  # what a vertex does on most faces
        with torch.no_grad():
            for layer in (self.more, self.strength):
                layer.weight.mul_(0.1)
                layer.bias.zero_()

    def forward(self, features: SubjectFeatures, rows: Tensor | None = None) -> Tensor:
        """[B, N, 3, CODES] metres a unit of code, canonical; rows: of some vertices only."""
        vertices, frames, own, usual = features.vertices, features.frames, self.own, self.usual
        if rows is not None:
            vertices, frames, own, usual = vertices[:, rows], frames[:, rows], own[rows], usual[rows]
        own = own.expand(len(vertices), -1, -1)
        hidden = self.enter(torch.cat([vertices, own], -1)) + self.enter_whole(self.whole(features.whole))[:, None]
        hidden = silu(self.mix(silu(hidden)))
        # A fold is where it is on everybody, and as deep as this face has it.
        answers = usual * (1.0 + self.strength(hidden))[..., None, :] + self.more(hidden).unflatten(-1, (3, CODES))
        return torch.einsum("bnij,bnjk->bnik", frames, answers) * (0.001 * features.size)[:, None, None, None]


class TransferNet(nn.Module):
    """The driving encoder and the vertex MLP together."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.vertices = DrivingEncoder(), VertexMLP()

    def forward(self, features: SubjectFeatures, codes: Tensor, rows: Tensor | None = None) -> Tensor:
        """codes: [B, F, 52] -> D_f [B, F, N, 3] metres, canonical; rows: of some vertices only."""
        return frames_of(self.vertices(features, rows), self.encoder(codes))


def frames_of(answers: Tensor, codes: Tensor) -> Tensor:
    """[B, N, 3, CODES] of subjects and [B, F, CODES] of frames -> D_f [B, F, N, 3] metres."""
    flat = answers.flatten(1, 2)  # one matrix product for all frames
    return (codes @ flat.transpose(1, 2)).unflatten(-1, (-1, 3))
