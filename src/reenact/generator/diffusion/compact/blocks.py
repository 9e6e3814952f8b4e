# SPDX-License-Identifier: Apache-2.0
"""Transformer blocks over the patches of a clip: attention in space and to the reference, attention in time, an MLP.

They are conditioned on the time of the flow by one table of shifts, scales and gates that all blocks share and each
adjusts (adaLN-single, PixArt-alpha, arXiv 2310.00426). Positions are rotary (RoFormer, doi
10.1016/j.neucom.2023.127063) in x and y, and in time.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

HEAD = 64
"""Channels of an attention head."""


def rotary(positions: Tensor, channels: int) -> Tensor:
    """Return complex unit numbers [..., channels / 2] of positions [...] in patches or frames."""
    # The longest wave is 2 pi x 100 patches or frames, longer than any window.
    frequencies = 100.0 ** -torch.linspace(0.0, 1.0, channels // 2, device=positions.device)
    angles = positions[..., None].float() * frequencies
    return torch.polar(torch.ones_like(angles), angles)


def grid_rotary(rows: int, columns: int, device: torch.device) -> Tensor:
    """Return rotations [rows * columns, HEAD / 2] of a grid: half of a head's channels rotate with y, half with x."""
    y, x = torch.meshgrid(torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij")
    return torch.cat([rotary(y.flatten(), HEAD // 2), rotary(x.flatten(), HEAD // 2)], dim=-1)


def rotate(x: Tensor, rotations: Tensor) -> Tensor:
    """Rotate pairs of channels of x [B, heads, N, HEAD] by complex numbers [N, HEAD / 2]."""
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)).contiguous())
    return torch.view_as_real(pairs * rotations).flatten(-2).to(x.dtype)


class _Attention(nn.Module):
    """Self-attention with rotary positions, optionally to further tokens, too."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = width // HEAD
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norms = nn.ModuleList([nn.RMSNorm(HEAD, eps=1e-6), nn.RMSNorm(HEAD, eps=1e-6)])

    def forward(self, x: Tensor, rotations: Tensor, context: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Attend.

        Args:
            x: [B, N, D].
            rotations: [N, HEAD / 2].
            context: keys and values [B, heads, M, HEAD] of further tokens.
        """
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, HEAD)).permute(2, 0, 3, 1, 4)
        q, k = rotate(self.norms[0](q), rotations), rotate(self.norms[1](k), rotations)
        if context is not None:
            k, v = torch.cat([k, context[0]], 2), torch.cat([v, context[1]], 2)
        values = F.scaled_dot_product_attention(q, k, v)
        return self.out(values.transpose(1, 2).flatten(2))

    def keys_values(self, x: Tensor, rotations: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values [B, heads, M, HEAD] of tokens [B, M, D]."""
        _, k, v = self.qkv(x).unflatten(-1, (3, self.heads, HEAD)).permute(2, 0, 3, 1, 4)
        return rotate(self.norms[1](k), rotations), v


class Block(nn.Module):
    """One block; untrained it is the identity."""

    TERMS = 9
    """Shift, scale and gate of three parts."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.space, self.time = _Attention(width), _Attention(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU("tanh"), nn.Linear(4 * width, width))
        self.adjust = nn.Parameter(torch.zeros(self.TERMS, width))
        self.norm = nn.LayerNorm(width, elementwise_affine=False)

    def forward(self, x: Tensor, reference: Tensor, terms: Tensor, rotations: tuple[Tensor, Tensor]) -> Tensor:
        """Apply the block.

        Args:
            x: [B, F, N, D] patches.
            reference: [B, N, D] its patches, on the same grid.
            terms: [B, TERMS, D].
            rotations: of the N patches, and of the F frames.
        """
        b, f, n, d = x.shape
        t = (terms + self.adjust)[:, :, None, None]
        context = self.space.keys_values(self.norm(reference), rotations[0])
        context = tuple(k.repeat_interleave(f, 0) for k in context)
        a = self._modulate(x, t[:, 0], t[:, 1]).reshape(b * f, n, d)
        x = x + t[:, 2] * self.space(a, rotations[0], context).view(b, f, n, d)
        if f > 1:
            a = self._modulate(x, t[:, 3], t[:, 4]).transpose(1, 2).reshape(b * n, f, d)
            x = x + t[:, 5] * self.time(a, rotations[1]).view(b, n, f, d).transpose(1, 2)
        return x + t[:, 8] * self.mlp(self._modulate(x, t[:, 6], t[:, 7]))

    def _modulate(self, x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
        return self.norm(x) * (1.0 + scale) + shift
