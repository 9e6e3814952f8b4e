# SPDX-License-Identifier: Apache-2.0
"""What Wan2.1's image encoder, a CLIP, says of the photo. Wan2.2 has none."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .extra import CLIPVisionModel

_MEAN, _DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of CLIP's pictures


@torch.no_grad()
def image_tokens(encoder: CLIPVisionModel, photo: Tensor) -> Tensor:
    """[B, 3, S, S] from -1 to 1 as [B, n, d]: the last layer but one, as the released pipeline takes it."""
    size = encoder.config.image_size
    picture = interpolate(photo.to(encoder.device), (size, size), mode="bicubic", antialias=True, align_corners=False)
    mean, deviation = (torch.tensor(v, device=picture.device).view(1, 3, 1, 1) for v in (_MEAN, _DEVIATION))
    found = encoder((picture.clamp(-1, 1) / 2 + 0.5 - mean) / deviation, output_hidden_states=True)
    return found.hidden_states[-2].float()
