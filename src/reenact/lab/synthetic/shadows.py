# SPDX-License-Identifier: Apache-2.0
"""Shadows: which points a far light reaches past what stands in its way."""

from __future__ import annotations

import torch
from torch import Tensor

from reenact.rendering import rasterise

_MAP_SPAN_M = 0.40  # side of the square around the casters that a light's map shows
_MIDDLE_OF = 1000  # casters whose mean is the middle of a light's map: some of the head's


def light_visibility(
    receivers: Tensor, casters: Tensor, faces: Tensor, to_light: Tensor, size: int, bias_m: float
) -> Tensor:
    """How much of a far light reaches each point: [N, P] in 0..1, edges softened over some pixels of the map.

    receivers [N, P, 3], casters [N, W, 3] metres in one frame, any; faces [G, 3] of the casters; to_light [N, 3] unit.
    The map is a parallel projection along the light, `size` pixels over 0.4 m around the casters' middle. A caster
    that is not finite casts no shadow.
    """
    away = -to_light
    helper = torch.where(away[:, :1].abs() < 0.9, away.new_tensor([1.0, 0, 0]), away.new_tensor([0, 1.0, 0]))
    right = torch.nn.functional.normalize(torch.linalg.cross(helper, away), dim=1)
    axes = torch.stack([right, torch.linalg.cross(away, right), away], 1)
    middle = casters[:, :_MIDDLE_OF].mean(1, keepdim=True)
    scale = size / _MAP_SPAN_M

    def on_map(points: Tensor) -> Tensor:
        local = (points - middle) @ axes.transpose(1, 2)
        return torch.cat([local[..., :2] * scale + size / 2, local[..., 2:] + 2.0], -1)

    drawn = torch.nan_to_num(on_map(casters), nan=-1.0)  # the rasteriser drops what lies behind
    depth = rasterise(drawn, faces, size, size, cull_back=False).depth
    place = on_map(receivers)
    lit = torch.zeros_like(place[..., 2])
    image = torch.arange(len(place), device=place.device)[:, None]
    x, y = place[..., 0].long(), place[..., 1].long()
    offsets = (-2, 0, 2)
    for dy in offsets:
        for dx in offsets:
            near = depth[image, (y + dy).clamp(0, size - 1), (x + dx).clamp(0, size - 1)]
            # Farther taps may lie on a slope that faces the light at an angle: they get more room.
            room = bias_m * (1.0 + 0.75 * (abs(dx) + abs(dy)))
            lit += (place[..., 2] <= near + room).float()
    return lit / len(offsets) ** 2
