# SPDX-License-Identifier: Apache-2.0
"""Transformer blocks over the patches of a clip: attention in space and to the photo, attention in time, an MLP.

Conditioned on the time of the flow by one table of shifts, scales and gates that all blocks share and each adjusts
(adaLN-single, PixArt-alpha, arXiv 2310.00426); positions are rotary (RoFormer, doi 10.1016/j.neucom.2023.127063) in x
and y, and in time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD = 64  # channels of an attention head
_PERIODS = 100.0  # longest wave of a position, in patches or frames


def rotary(positions: Tensor, channels: int) -> Tensor:
    """[..., channels / 2] complex unit numbers of positions [...]."""
    waves = _PERIODS ** -torch.linspace(0.0, 1.0, channels // 2, device=positions.device)
    angles = positions[..., None].float() * waves
    return torch.polar(torch.ones_like(angles), angles)


def grid_rotary(rows: int, columns: int, device: torch.device) -> Tensor:
    """[rows * columns, HEAD / 2]: half of a head's channels turn with y, half with x."""
    y, x = torch.meshgrid(torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij")
    return torch.cat([rotary(y.flatten(), HEAD // 2), rotary(x.flatten(), HEAD // 2)], dim=-1)


def turned(x: Tensor, turn: Tensor) -> Tensor:
    """Channels of x [B, heads, N, HEAD] turned in pairs by turn [N, HEAD / 2]."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * turn).flatten(-2).to(x.dtype)


class Attention(nn.Module):
    """Self-attention with rotary positions, which may look at more tokens than it writes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // HEAD
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norms = nn.ModuleList([nn.RMSNorm(HEAD, eps=1e-6), nn.RMSNorm(HEAD, eps=1e-6)])

    def forward(self, x: Tensor, turn: Tensor, more: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """x: [B, N, D]. turn: [N, HEAD / 2]. more: keys and values [B, heads, M, HEAD] seen besides."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, HEAD)).permute(2, 0, 3, 1, 4)
        q, k = turned(self.norms[0](q), turn), turned(self.norms[1](k), turn)
        if more is not None:
            k, v = torch.cat([k, more[0]], 2), torch.cat([v, more[1]], 2)
        seen = F.scaled_dot_product_attention(q, k, v)
        return self.out(seen.transpose(1, 2).flatten(2))

    def keys_values(self, x: Tensor, turn: Tensor) -> tuple[Tensor, Tensor]:
        """[B, heads, M, HEAD] each, of tokens [B, M, D] that are only looked at."""
        _, k, v = self.qkv(x).unflatten(-1, (3, self.heads, HEAD)).permute(2, 0, 3, 1, 4)
        return turned(self.norms[1](k), turn), v


class Block(nn.Module):
    """One block; at first it changes nothing."""

    TERMS = 9  # shift, scale and gate of three parts

    def __init__(self, width: int) -> None:
        super().__init__()
        self.space, self.time = Attention(width), Attention(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))
        self.adjust = nn.Parameter(torch.zeros(self.TERMS, width))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def forward(self, x: Tensor, photo: Tensor, terms: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """x: [B, F, N, D] patches. photo: [B, M, D]. terms: [B, 9, D]. turns: of the N patches, of the F frames.

        The photo's patches lie on the same grid as the frames' (M = N).
        """
        b, f, n, d = x.shape
        t = (terms + self.adjust)[:, :, None, None]
        looked = self.space.keys_values(self.norm(photo), turns[0])
        looked = tuple(k.repeat_interleave(f, 0) for k in looked)
        a = self._modulated(x, t[:, 0], t[:, 1]).reshape(b * f, n, d)
        x = x + t[:, 2] * self.space(a, turns[0], looked).view(b, f, n, d)
        if f > 1:
            a = self._modulated(x, t[:, 3], t[:, 4]).transpose(1, 2).reshape(b * n, f, d)
            x = x + t[:, 5] * self.time(a, turns[1]).view(b, n, f, d).transpose(1, 2)
        return x + t[:, 8] * self.mlp(self._modulated(x, t[:, 6], t[:, 7]))

    def _modulated(self, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        return self.norm(x) * (1.0 + scale) + shift
