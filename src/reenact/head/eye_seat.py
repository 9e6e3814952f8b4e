# SPDX-License-Identifier: Apache-2.0
"""Eyeballs behind their lids: static offsets move the lids and leave the balls, which must not shine through."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from .arkit import index

BLINKS = (index("eyeBlinkLeft"), index("eyeBlinkRight"))
_DEEPEST_M = 0.004
_SHUT = (0.0, 0.5, 1.0)  # of a blink, at which is looked
_STEEPEST = 0.5  # cosine between the ball's surface and the axis, below which it counts as this
_NEAR = 0.9  # square of the distance from the eye's axis, in radii, up to which skin lies over the ball


def eye_depth(
    neutral: Tensor, blink: Tensor, before: Tensor, blink_before: Tensor, skin: Tensor, ball: Tensor
) -> Tensor:
    """Find how far an eyeball has to go back for all skin to lie in front of it that does so without static offsets.

    Args:
        neutral: [N, 3] skin relative to the eyeball's centre, metres.
        blink: [N, 3] what the eye's blink adds.
        before: [N, 3] the skin without static offsets.
        blink_before: [N, 3] its blink.
        skin: which of the N are on the eye's side of the head.
        ball: [B, 3] the eyeball about its centre.

    Returns:
        [] metres along the face's own axis.
    """
    back = neutral.new_zeros(())
    for shut in _SHUT:
        was, now = (_sunk(n[skin] + shut * b[skin], ball) for n, b in ((before, blink_before), (neutral, blink)))
        held = now[was < 0.0]
        if len(held):
            back = torch.maximum(back, held.max())
    return back.clamp(max=_DEEPEST_M)


def _sunk(points: Tensor, ball: Tensor) -> Tensor:
    """[N] metres that the ball must go back, along the face's own axis, for points on its front to lie outside of it.

    Negative: they do already. At the ball's rim a little in it is much along the axis; nothing shows there, and no more
    than twice the way out counts.
    """
    far = ball.norm(dim=1)
    # The cornea stands out: the ball is as large as it is in that direction.
    with torch.no_grad():
        towards = (points / points.norm(dim=1, keepdim=True)).cpu().numpy()
        nearest = KDTree((ball / far[:, None]).cpu().numpy()).query(towards)[1]
    radius = far[torch.from_numpy(np.asarray(nearest)).to(far.device)]
    beside = (points[:, :2] ** 2).sum(1)
    over = (beside < _NEAR * radius**2) & (points[:, 2] > 0.0)
    slope = (1.0 - beside / radius**2).clamp(min=_STEEPEST**2).sqrt()
    return torch.where(over, (radius - points.norm(dim=1)) / slope, torch.full_like(radius, -torch.inf))
